namespace MLNetExtension.Generation;

/// <summary>A token that a model has been let choose.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Text">The text that it completes, often none, and nothing of a token that ends the text.</param>
/// <param name="Score">How probable the model found it; null where that was not asked for.</param>
internal readonly record struct GeneratedToken(int Id, string Text, TokenScore? Score);
