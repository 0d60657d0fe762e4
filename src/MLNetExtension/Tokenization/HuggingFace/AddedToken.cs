namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>A token that is looked for in the text as it stands, before the text is split into words.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">The characters that are looked for.</param>
/// <param name="IsSpecial">Whether it is a mark (the end of a text, the beginning of a turn) and not part of what the text says.</param>
/// <param name="IsNormalized">Whether it is looked for in the normalized text, and not in the text as it came.</param>
internal sealed record AddedToken(int Id, string Content, bool IsSpecial = true, bool IsNormalized = false);
