namespace MLNetExtension.Tokenization;

/// <summary>One file of a tokenizer, in memory.</summary>
/// <param name="Name">Its name, without a folder: <c>tokenizer.json</c>.</param>
/// <param name="Content">Its bytes.</param>
public sealed record TokenizerFile(string Name, ReadOnlyMemory<byte> Content);
