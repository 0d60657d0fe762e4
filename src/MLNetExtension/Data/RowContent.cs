namespace MLNetExtension.Data;

/// <summary>What a row of the data holds.</summary>
/// <param name="Weight">What the row's summed loss and its number of targets are multiplied by.</param>
internal abstract record RowContent(double Weight)
{
    /// <summary>Its chars, or its ids.</summary>
    internal abstract long Size { get; }

    /// <summary>A text, all of whose tokens are targets.</summary>
    internal sealed record Text(string Value, double Weight) : RowContent(Weight)
    {
        internal override long Size => Value.Length;
    }

    /// <summary>A prompt and what follows it; the completion's tokens are the targets.</summary>
    internal sealed record PromptCompletion(string Prompt, string Completion, double Weight) : RowContent(Weight)
    {
        internal override long Size => (long)Prompt.Length + Completion.Length;
    }

    /// <summary>A chat as JSON; the assistant's tokens are the targets.</summary>
    internal sealed record Chat(string Messages, double Weight) : RowContent(Weight)
    {
        internal override long Size => Messages.Length;
    }

    /// <summary>Token ids, all of which are targets that something stands before; the beginning or the end of a text may be added.</summary>
    internal sealed record TokenIds(int[] Ids, bool AddBeginning, bool AddEnd, double Weight) : RowContent(Weight)
    {
        internal override long Size => Ids.Length;
    }
}
