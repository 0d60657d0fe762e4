namespace MLNetExtension.Training.Reports;

/// <summary>A text that a model generated while it was trained.</summary>
/// <param name="Prompt">What it goes on from.</param>
/// <param name="Text">What was generated, without the prompt.</param>
public sealed record GeneratedSample(string Prompt, string Text);
