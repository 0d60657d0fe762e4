using System.Runtime.InteropServices;

namespace MLNetExtension.Training.Splitting;

/// <summary>Recognizes that memory, the device's or the machine's, has run out.</summary>
internal static class OutOfMemory
{
    // CUDA's caching allocator, libtorch's CPU allocator on Linux and on Windows, and C++ itself.
    private static readonly string[] Phrases = ["out of memory", "can't allocate memory", "not enough memory", "bad_alloc"];

    /// <summary>Whether memory that ran out caused an exception.</summary>
    /// <param name="exception">What was thrown.</param>
    public static bool Caused(Exception exception) => exception is OutOfMemoryException
        || (exception is ExternalException && Phrases.Any(phrase => exception.Message.Contains(phrase, StringComparison.OrdinalIgnoreCase)));
}
