using System.Text;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Receives a part of a text, a match or what lies between two.</summary>
/// <param name="start">Where it begins.</param>
/// <param name="length">Its chars.</param>
/// <param name="isMatch">Whether it is a match.</param>
/// <returns>False to stop.</returns>
internal delegate bool MatchReader(int start, int length, bool isMatch);

/// <summary>A pattern that is looked for in texts.</summary>
internal interface ITextPattern
{
    /// <summary>Finds the matches and what lies between them: together they are the text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="read">Receives the parts in order.</param>
    /// <returns>False where <paramref name="read"/> stopped.</returns>
    /// <exception cref="NotSupportedException">The pattern takes too long for this text.</exception>
    bool Split(ReadOnlyMemory<char> text, MatchReader read);

    /// <summary>Puts a text in place of each match.</summary>
    string Replace(string text, string content)
    {
        var result = new StringBuilder(text.Length);
        Split(text.AsMemory(), (start, length, isMatch) =>
        {
            _ = isMatch ? result.Append(content) : result.Append(text, start, length);
            return true;
        });
        return result.ToString();
    }
}

/// <summary>A text that is looked for as it stands.</summary>
/// <param name="Text">The text, not empty.</param>
internal sealed record LiteralPattern(string Text) : ITextPattern
{
    /// <inheritdoc/>
    public bool Split(ReadOnlyMemory<char> text, MatchReader read)
    {
        int start = 0;
        while (text.Span[start..].IndexOf(Text, StringComparison.Ordinal) is var distance and >= 0)
        {
            if ((distance > 0 && !read(start, distance, false)) || !read(start + distance, Text.Length, true))
                return false;

            start += distance + Text.Length;
        }

        return start == text.Length || read(start, text.Length - start, false);
    }

    /// <inheritdoc/>
    public string Replace(string text, string content) => text.Replace(Text, content, StringComparison.Ordinal);
}
