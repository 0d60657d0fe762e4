namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>Where a template is as it is rendered: the variables that it sees, and what it writes to.</summary>
internal sealed class Frame
{
    private readonly Frame? _parent;
    private Dictionary<string, object?>? _variables;

    private Frame(Rendering rendering, Frame? parent, TracedTextBuilder output)
    {
        Rendering = rendering;
        _parent = parent;
        Output = output;
    }

    /// <summary>What all frames share.</summary>
    public Rendering Rendering { get; }

    /// <summary>Receives what is written.</summary>
    public TracedTextBuilder Output { get; }

    /// <summary>What the rendering may still use up.</summary>
    public RenderBudget Budget => Rendering.Budget;

    /// <summary>Makes the outermost frame.</summary>
    public static Frame Create(Rendering rendering, IReadOnlyDictionary<string, object?> variables) =>
        new(rendering, null, new TracedTextBuilder(rendering.Budget)) { _variables = new(variables) };

    /// <summary>Makes a frame within this one: what it sets is not seen outside.</summary>
    public Frame Nest(TracedTextBuilder? output = null) => new(Rendering, this, output ?? Output);

    /// <summary>Makes a frame within this one that writes elsewhere.</summary>
    public Frame Redirect() => Nest(new TracedTextBuilder(Budget));

    /// <summary>Sets a variable of this frame.</summary>
    public void Set(string name, object? value)
    {
        Budget.Allocate(1);
        (_variables ??= [])[name] = value;
    }

    /// <summary>Gets the value of the nearest variable of a name.</summary>
    public object? Get(string name)
    {
        for (Frame? frame = this; frame is not null; frame = frame._parent)
        {
            if (frame._variables is not null && frame._variables.TryGetValue(name, out object? value))
                return value;
        }

        return Functions.All.GetValueOrDefault(name) ?? new Undefined($"'{name}' is undefined");
    }

    /// <summary>Begins a part of the template.</summary>
    public void Enter(Node node)
    {
        Rendering.Line = node.Line;
        Budget.Enter();
    }

    /// <summary>Ends a part of the template: what follows stands where this part began, if anything is wrong with it.</summary>
    public void Leave(Node node)
    {
        Rendering.Line = node.Line;
        Budget.Leave();
    }
}

/// <summary>What holds while a template is rendered once.</summary>
/// <param name="budget">What it may use up.</param>
/// <param name="now">The local time, for templates that write the date.</param>
internal sealed class Rendering(RenderBudget budget, DateTimeOffset now)
{
    /// <summary>What it may use up.</summary>
    public RenderBudget Budget => budget;

    /// <summary>The local time.</summary>
    public DateTimeOffset Now => now;

    /// <summary>The line that is being rendered.</summary>
    public int Line { get; set; }
}
