namespace MLNetExtension.Data;

/// <summary>What becomes of a row that has more tokens than the model's context.</summary>
public enum LongRows
{
    /// <summary>Its end is left out, and a warning counts such rows.</summary>
    Truncate,

    /// <summary>It is split into pieces, each a row of its own: every token is trained on once. A piece sees nothing of the pieces before it but its first token, their last.</summary>
    Split,
}
