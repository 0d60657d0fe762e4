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

    /// <summary>A prompt and two completions, each of which becomes an example.</summary>
    internal sealed record Pair(string Prompt, string First, string Second, PairKind Kind, double Weight) : RowContent(Weight)
    {
        internal override long Size => 2L * Prompt.Length + First.Length + Second.Length;
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

/// <summary>What the completions of a <see cref="RowContent.Pair"/> are.</summary>
internal enum PairKind
{
    /// <summary>A chosen and a rejected one.</summary>
    Compared,

    /// <summary>A desirable one and another row's, which is not trained on.</summary>
    Desirable,

    /// <summary>An undesirable one and another row's, which is not trained on.</summary>
    Undesirable,
}
