using System.Runtime.InteropServices;
using MLNetExtension.Data;

namespace MLNetExtension.Training;

/// <summary>How many positions may pass through the model together; halved, for good, when memory runs out.</summary>
/// <param name="tokens">The budget to begin with.</param>
internal sealed class TokenBudget(int tokens)
{
    /// <summary>The budget as it stands.</summary>
    public int Tokens { get; private set; } = tokens;

    /// <summary>Sets another budget.</summary>
    /// <param name="tokens">At least 1.</param>
    public void Set(int tokens) => Tokens = tokens;

    /// <summary>Halves the budget if that can cut a window finer.</summary>
    /// <param name="window">The window that did not fit.</param>
    /// <returns>False where rows stand alone already: then memory is too small for a single row.</returns>
    public bool TryHalve(IReadOnlyList<TokenExample> window)
    {
        // A budget above the whole window cuts no finer than the window itself. Rows without a target are never laid into it.
        TokenExample[] rows = [.. window.Where(e => e.HasTargets)];
        int longest = rows.Max(e => e.Length), whole = rows.Length * longest;
        if (Math.Min(Tokens, whole) <= longest)
            return false;
        Tokens = Math.Max(1, Math.Min(Tokens, whole) / 2);
        return true;
    }

    /// <summary>Whether an exception says that memory, the device's or the machine's, ran out.</summary>
    /// <param name="exception">What was thrown.</param>
    public static bool IsOutOfMemory(Exception exception) => exception is OutOfMemoryException
        || (exception is ExternalException && Phrases.Any(phrase => exception.Message.Contains(phrase, StringComparison.OrdinalIgnoreCase)));

    // CUDA's caching allocator, libtorch's CPU allocator on Linux and on Windows, and C++ itself.
    private static readonly string[] Phrases = ["out of memory", "can't allocate memory", "not enough memory", "bad_alloc"];
}
