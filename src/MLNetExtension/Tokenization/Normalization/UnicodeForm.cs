namespace MLNetExtension.Tokenization.Normalization;

/// <summary>Unicode's normalization forms.</summary>
internal enum UnicodeForm
{
    /// <summary>Canonical composition.</summary>
    C,

    /// <summary>Canonical decomposition.</summary>
    D,

    /// <summary>Compatibility decomposition, followed by canonical composition.</summary>
    KC,

    /// <summary>Compatibility decomposition.</summary>
    KD,
}
