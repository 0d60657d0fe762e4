namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>Gives the tokens of a template one by one.</summary>
internal sealed class TokenReader(IReadOnlyList<Token> tokens)
{
    // Each level takes a dozen calls.
    private const int MaximumDepth = 64;

    private int _at, _depth;

    /// <summary>The token that is to be read.</summary>
    public Token Current => tokens[_at];

    /// <summary>The one behind it.</summary>
    public Token Next => tokens[Math.Min(_at + 1, tokens.Count - 1)];

    /// <summary>The line of the token that is to be read.</summary>
    public int Line => Current.Line;

    /// <summary>Whether an operator comes.</summary>
    public bool Is(string symbol) => Current.Is(symbol);

    /// <summary>Whether a name or keyword comes.</summary>
    public bool IsName(string name) => Current.IsName(name);

    /// <summary>Reads the next token; the end stays.</summary>
    public Token Take()
    {
        Token token = Current;
        if (token.Kind != TokenKind.End)
            _at++;
        return token;
    }

    /// <summary>Reads an operator, if it comes.</summary>
    public bool TryTake(string symbol)
    {
        if (!Is(symbol))
            return false;
        Take();
        return true;
    }

    /// <summary>Reads a keyword, if it comes.</summary>
    public bool TryTakeName(string name)
    {
        if (!IsName(name))
            return false;
        Take();
        return true;
    }

    /// <summary>Reads an operator that must come.</summary>
    public void Expect(string symbol)
    {
        if (!TryTake(symbol))
            throw Error($"found {Current.Description}, expected '{symbol}'", Line);
    }

    /// <summary>Reads a token of a kind that must come.</summary>
    public Token Expect(TokenKind kind, string expected) => Current.Kind == kind ? Take() : throw Error($"found {Current.Description}, expected {expected}", Line);

    /// <summary>Reads a name that must come.</summary>
    public string ExpectName() => Expect(TokenKind.Name, "a name").Text;

    /// <summary>Reads a keyword that must come.</summary>
    public void ExpectName(string name)
    {
        if (!TryTakeName(name))
            throw Error($"found {Current.Description}, expected '{name}'", Line);
    }

    /// <summary>Goes one level deeper.</summary>
    public void Enter()
    {
        if (++_depth > MaximumDepth)
            throw new JinjaException("it nests too deeply", JinjaFault.Limit, Line);
    }

    /// <summary>Comes back.</summary>
    public void Leave() => _depth--;

    /// <summary>Makes the error for a place.</summary>
    public JinjaException Error(string what, int line) => new(what, line: line);
}
