namespace MLNetExtension.Tokenization.Chat;

/// <summary>A tokenizer that may know how its model lays out a chat; <see cref="ChatTemplate"/> is made from it.</summary>
internal interface IChatTokenizer : ILanguageTokenizer
{
    /// <summary>The ids of the special tokens, such as <c>&lt;|im_start|&gt;</c>, by their text.</summary>
    IReadOnlyDictionary<string, int> SpecialTokens { get; }

    /// <summary>The special tokens that templates write by a name, such as <c>bos_token</c>, by that name; none where a class has no files.</summary>
    IReadOnlyDictionary<string, string> NamedTokens => new Dictionary<string, string>();

    /// <summary>Whether a special token takes the white space in front of it and behind it.</summary>
    (bool Left, bool Right) StripsAround(int specialToken) => (false, false);

    /// <summary>Encodes the beginning of a text that stands behind a special token: as content, without what only the beginning of a whole text gets.</summary>
    /// <param name="text">The text.</param>
    /// <param name="maximumCount">How many ids at most; at least 0.</param>
    IReadOnlyList<int> EncodeBehind(string text, int maximumCount) => EncodeStart(text, maximumCount);

    /// <summary>The Jinja program by which the model's makers lay out a chat; null where the files have none.</summary>
    string? ChatTemplateSource { get; }

    /// <summary>The program for chats with tools, where the files have one of its own for them.</summary>
    string? ToolTemplateSource => null;
}
