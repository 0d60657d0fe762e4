namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>A part of a template, and the line where it stands.</summary>
internal abstract class Node(int line)
{
    /// <summary>The line, from 1.</summary>
    public int Line => line;
}

/// <summary>A part that has a value.</summary>
internal abstract class Expression(int line) : Node(line)
{
    /// <summary>Gives the value: null (none), <see cref="bool"/>, <see cref="long"/>, <see cref="double"/>, <see cref="System.Numerics.BigInteger"/>, <see cref="TracedText"/>, a
    /// <see cref="PythonSequence"/>, a <see cref="PythonDictionary"/>, <see cref="Undefined"/>, or an object that templates know.</summary>
    public object? Evaluate(Frame frame)
    {
        frame.Enter(this);
        object? value = Compute(frame);
        frame.Leave(this);
        return value;
    }

    /// <summary>Computes the value.</summary>
    protected abstract object? Compute(Frame frame);
}

/// <summary>A part that writes something or changes a variable.</summary>
internal abstract class Statement(int line) : Node(line)
{
    /// <summary>Runs it.</summary>
    /// <returns>Where the template goes on.</returns>
    public Flow Run(Frame frame)
    {
        frame.Enter(this);
        Flow flow = Execute(frame);
        frame.Leave(this);
        return flow;
    }

    /// <summary>Runs statements one after the other.</summary>
    public static Flow RunAll(IReadOnlyList<Statement> body, Frame frame)
    {
        foreach (Statement statement in body)
        {
            if (statement.Run(frame) is var flow and not Flow.Next)
                return flow;
        }

        return Flow.Next;
    }

    /// <summary>Runs statements, and gives what they write.</summary>
    public static TracedText Capture(IReadOnlyList<Statement> body, Frame frame)
    {
        Frame captured = frame.Redirect();
        RunAll(body, captured);
        return captured.Output.ToText();
    }

    /// <summary>Runs it.</summary>
    protected abstract Flow Execute(Frame frame);
}

/// <summary>Where a template goes on.</summary>
internal enum Flow
{
    /// <summary>With the next statement.</summary>
    Next,

    /// <summary>Behind the loop.</summary>
    Break,

    /// <summary>With the loop's next item.</summary>
    Continue,
}
