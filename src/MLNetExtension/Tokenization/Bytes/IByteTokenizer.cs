namespace MLNetExtension.Tokenization.Bytes;

/// <summary>A tokenizer whose every token stands for a fixed sequence of bytes, so that tokens decode by putting their bytes together.</summary>
internal interface IByteTokenizer
{
    /// <summary>Gives the bytes of a token; none for a special token, which cuts off a character that is not complete.</summary>
    /// <param name="id">The token's id.</param>
    /// <exception cref="InvalidOperationException">There is no such token.</exception>
    ReadOnlySpan<byte> GetBytes(int id);
}
