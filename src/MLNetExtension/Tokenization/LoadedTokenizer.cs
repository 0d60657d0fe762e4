namespace MLNetExtension.Tokenization;

/// <summary>A tokenizer and what its user should know of how it was read.</summary>
/// <param name="Tokenizer">The tokenizer.</param>
/// <param name="Notes">Sentences for the log: what was ignored, or read in place of something else.</param>
internal sealed record LoadedTokenizer(ILanguageTokenizer Tokenizer, IReadOnlyList<string> Notes);
