namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>A token that is looked for in the text as it stands, before the text is split into words.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">The characters that are looked for.</param>
/// <param name="IsSpecial">Whether it marks structure, such as the end of a text or the beginning of a turn, and is no content.</param>
/// <param name="IsNormalized">Whether it is looked for in the normalized text, and not in the original.</param>
internal sealed record AddedToken(int Id, string Content, bool IsSpecial = true, bool IsNormalized = false)
{
    /// <summary>Whether it takes the white space in front of it.</summary>
    public bool StripsLeft { get; init; }

    /// <summary>Whether it takes the white space behind it.</summary>
    public bool StripsRight { get; init; }

    /// <summary>Whether it is not found within a word.</summary>
    public bool IsSingleWord { get; init; }
}
