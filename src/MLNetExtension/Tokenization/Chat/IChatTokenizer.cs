namespace MLNetExtension.Tokenization.Chat;

/// <summary>A tokenizer that may know how its model lays out a chat; <see cref="ChatTemplate"/> is made from it.</summary>
internal interface IChatTokenizer : ILanguageTokenizer
{
    /// <summary>The ids of the special tokens, such as <c>&lt;|im_start|&gt;</c>, by their text.</summary>
    IReadOnlyDictionary<string, int> SpecialTokens { get; }

    /// <summary>The Jinja program by which the model's makers lay out a chat; null where the files have none. It is recognized, never run.</summary>
    string? ChatTemplateSource { get; }
}
