namespace MLNetExtension.Tokenization.Chat;

/// <summary>Templates for tokenizers that have none, and special tokens that tell the layout.</summary>
internal static class BuiltInTemplates
{
    // A turn: <|im_start|>role, a line break, the content, <|im_end|>, a line break.
    private const string ChatML = """
        {%- for message in messages %}
            {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}
        {%- endfor %}
        {%- if add_generation_prompt %}
            {{- '<|im_start|>assistant\n' }}
        {%- endif %}
        """;

    // <|begin_of_text|> once; then a turn: the role between two marks, an empty line, the content without the space around it, <|eot_id|>.
    private const string Llama3 = """
        {{- '<|begin_of_text|>' }}
        {%- for message in messages %}
            {{- '<|start_header_id|>' + message.role + '<|end_header_id|>\n\n' + message.content | trim + '<|eot_id|>' }}
        {%- endfor %}
        {%- if add_generation_prompt %}
            {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
        {%- endif %}
        """;

    private static readonly (string Name, string[] Marks, string Source)[] Known =
    [
        ("ChatML", ["<|im_start|>", "<|im_end|>"], ChatML),
        ("Llama 3", ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"], Llama3),
    ];

    /// <summary>Finds the template of the tokenizer's special tokens.</summary>
    /// <exception cref="NotSupportedException">They tell none.</exception>
    public static (string Name, string Source) Find(IReadOnlyDictionary<string, int> specialTokens)
    {
        foreach ((string name, string[] marks, string source) in Known)
        {
            if (marks.All(specialTokens.ContainsKey))
                return ($"the built-in template of {name}", source);
        }

        string known = string.Join(", ", Known.Select(template => $"{template.Name} ({string.Join(" ", template.Marks)})"));
        throw new NotSupportedException($"The tokenizer has no chat template, and not the special tokens of a layout that is known without one: {known}.");
    }
}
