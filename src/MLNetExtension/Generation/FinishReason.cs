namespace MLNetExtension.Generation;

/// <summary>Why a text ended.</summary>
internal enum FinishReason
{
    /// <summary>The model chose a token that ends a text or a turn.</summary>
    EndOfText,

    /// <summary>The text came to one of <see cref="GenerationOptions.StopStrings"/>.</summary>
    StopString,

    /// <summary>The text has <see cref="GenerationOptions.MaximumNewTokens"/>, or fills the context where that ends it.</summary>
    MaximumTokens,
}
