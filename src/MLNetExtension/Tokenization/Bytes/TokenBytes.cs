namespace MLNetExtension.Tokenization.Bytes;

/// <summary>The bytes that a token spells; none for a special token.</summary>
/// <param name="id">The token's id.</param>
/// <exception cref="InvalidOperationException">There is no such token.</exception>
internal delegate ReadOnlySpan<byte> TokenBytes(int id);
