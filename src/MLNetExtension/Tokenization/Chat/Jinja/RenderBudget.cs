using System.Runtime.CompilerServices;

namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>What a template may use up, since it is a stranger's program: steps, characters and depth, over all the renderings that share a budget.</summary>
/// <param name="inputLength">The characters that the template is given; a long chat may take more than a short one.</param>
internal sealed class RenderBudget(long inputLength)
{
    // Less than a second in a debug build; the longest published templates take a hundred steps for a message.
    private const long BaseSteps = 2_000_000, StepsPerCharacter = 4;

    // Of two bytes each, and what was copied counts as well as what is kept.
    private const long BaseCharacters = 1 << 24, CopiesPerCharacter = 64;

    // An expression takes a few hundred bytes of the stack.
    private const int MaximumDepth = 500;

    // What an element of a list takes, in characters.
    private const int CharactersPerItem = 16;

    private long _steps = BaseSteps + (StepsPerCharacter * inputLength);
    private long _characters = BaseCharacters + (CopiesPerCharacter * inputLength);
    private int _depth;

    /// <summary>Takes one step.</summary>
    public void Step()
    {
        if (--_steps < 0)
            throw new JinjaException("it takes too many steps: a loop may not end", JinjaFault.Limit);
    }

    /// <summary>Takes characters that are about to be written or copied.</summary>
    public void Write(long characters)
    {
        if ((_characters -= characters) < 0)
            throw new JinjaException("it writes too much text or makes too long lists", JinjaFault.Limit);
    }

    /// <summary>Takes elements of a list that is about to be made.</summary>
    public void Allocate(long items)
    {
        Write(Math.Min(items, long.MaxValue / CharactersPerItem) * CharactersPerItem);
    }

    /// <summary>Goes one level deeper.</summary>
    public void Enter()
    {
        Step();
        if (++_depth > MaximumDepth || !RuntimeHelpers.TryEnsureSufficientExecutionStack())
            throw new JinjaException("it nests too deeply", JinjaFault.Limit);
    }

    /// <summary>Comes back.</summary>
    public void Leave() => _depth--;

    /// <summary>Starts again at the top: a rendering that failed left the depth where it was.</summary>
    public void Restart() => _depth = 0;
}
