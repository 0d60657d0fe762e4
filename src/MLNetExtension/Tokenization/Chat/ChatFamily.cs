namespace MLNetExtension.Tokenization.Chat;

/// <summary>The layouts of a chat that this library knows.</summary>
internal enum ChatFamily
{
    /// <summary>ChatML, as Qwen has it: <c>&lt;|im_start|&gt;role</c>, a line break, the content, <c>&lt;|im_end|&gt;</c>, a line break.</summary>
    ChatML,

    /// <summary>
    /// Llama 3: <c>&lt;|begin_of_text|&gt;</c> once, then <c>&lt;|start_header_id|&gt;role&lt;|end_header_id|&gt;</c>, an empty line, the content
    /// without the space around it, <c>&lt;|eot_id|&gt;</c>.
    /// </summary>
    Llama3,
}
