namespace MLNetExtension.Tokenization.Chat;

/// <summary>Recognises the family of a model's chat template by the special tokens that it names.</summary>
internal static class ChatFamilies
{
    public const string TurnStart = "<|im_start|>", TurnEnd = "<|im_end|>";
    public const string TextStart = "<|begin_of_text|>", HeaderStart = "<|start_header_id|>", HeaderEnd = "<|end_header_id|>", HeaderTurnEnd = "<|eot_id|>";

    private static readonly Dictionary<ChatFamily, string[]> Marks = new()
    {
        [ChatFamily.ChatML] = [TurnStart, TurnEnd],
        [ChatFamily.Llama3] = [TextStart, HeaderStart, HeaderEnd, HeaderTurnEnd],
    };

    // What identifies the templates that are not supported, so that errors can name them.
    private static readonly (string Mark, string Name)[] Others =
    [
        ("[INST]", "Mistral or Llama 2"),
        ("<start_of_turn>", "Gemma"),
        ("<|start_of_role|>", "Granite"),
        ("<|START_OF_TURN_TOKEN|>", "Cohere"),
        ("<|header_start|>", "Llama 4"),
        ("<|channel|>", "Harmony"),
        ("<\uFF5CUser\uFF5C>", "DeepSeek"),
        ("<|user|>", "Phi 3 or Zephyr"),
        ("### Instruction", "Alpaca"),
    ];

    /// <summary>Finds the family of a tokenizer's chat template, or without one that of its special tokens.</summary>
    /// <exception cref="NotSupportedException">The template is of another family, or there is none and no marks of a known one.</exception>
    /// <exception cref="InvalidDataException">The template's marks are not special tokens of the tokenizer.</exception>
    public static ChatFamily Detect(IChatTokenizer tokenizer)
    {
        if (tokenizer.ChatTemplateSource is not { } template)
        {
            return Find(mark => tokenizer.SpecialTokens.ContainsKey(mark)) ?? throw new NotSupportedException(
                $"The tokenizer has no chat template, and not the special tokens of one that is known: {DescribeKnown()}.");
        }

        // The text of a template need not name a token that code in it adds, such as the beginning of the text.
        ChatFamily family = Find(mark => mark == TextStart || template.Contains(mark, StringComparison.Ordinal)) ?? throw CreateError(template);
        string? missing = Marks[family].FirstOrDefault(mark => !tokenizer.SpecialTokens.ContainsKey(mark));
        return missing is null
            ? family
            : throw new InvalidDataException($"The chat template is that of {family}, and its mark '{missing}' is no special token of the tokenizer.");
    }

    private static ChatFamily? Find(Func<string, bool> has)
    {
        foreach ((ChatFamily family, string[] marks) in Marks)
        {
            if (marks.All(has))
                return family;
        }

        return null;
    }

    private static NotSupportedException CreateError(string template)
    {
        string name = Others.FirstOrDefault(other => template.Contains(other.Mark, StringComparison.Ordinal)).Name is { } other
            ? $"is that of {other}"
            : "is of no family that this library can name";
        return new NotSupportedException($"The tokenizer's chat template {name}; known are {DescribeKnown()}. Templates are recognized by their marks and never run.");
    }

    private static string DescribeKnown() => string.Join(", ", Marks.Select(family => $"{family.Key} ({string.Join(" ", family.Value)})"));
}
