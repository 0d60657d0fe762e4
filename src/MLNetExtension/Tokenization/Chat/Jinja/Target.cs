namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>What a value is assigned to.</summary>
internal abstract class Target
{
    /// <summary>Assigns a value.</summary>
    public abstract void Assign(Frame frame, object? value);

    /// <summary>A variable.</summary>
    internal sealed class Variable(string name) : Target
    {
        /// <inheritdoc/>
        public override void Assign(Frame frame, object? value) => frame.Set(name, value);
    }

    /// <summary>An attribute of a namespace, which is seen outside of loops as well.</summary>
    internal sealed class NamespaceAttribute(string space, string name) : Target
    {
        /// <inheritdoc/>
        public override void Assign(Frame frame, object? value)
        {
            if (frame.Get(space) is not Namespace target)
                throw new JinjaException($"'{Files.Excerpt.Of(space)}.{Files.Excerpt.Of(name)}' is assigned, and '{Files.Excerpt.Of(space)}' is no namespace");
            frame.Budget.Allocate(1);
            target.Attributes[name] = value;
        }
    }

    /// <summary>Several targets, for as many values.</summary>
    internal sealed class Tuple(IReadOnlyList<Target> targets) : Target
    {
        /// <inheritdoc/>
        public override void Assign(Frame frame, object? value)
        {
            List<object?> values = PythonValues.ToList(value, frame.Budget);
            if (values.Count != targets.Count)
                throw new JinjaException($"{values.Count} values are assigned to {targets.Count} names");
            for (int i = 0; i < targets.Count; i++)
                targets[i].Assign(frame, values[i]);
        }
    }
}
