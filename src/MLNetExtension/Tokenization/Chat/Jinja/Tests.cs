using System.Numerics;

namespace MLNetExtension.Tokenization.Chat.Jinja;

/// <summary>What <c>value is name</c> asks.</summary>
internal static class Tests
{
    // Those that look at the value alone.
    private static readonly Dictionary<string, Func<object?, bool>> OfValue = new()
    {
        ["boolean"] = value => value is bool,
        ["callable"] = value => value is Function or LoopContext,
        ["defined"] = value => value is not Undefined,
        ["escaped"] = value => value is TracedText { IsMarkup: true },
        ["even"] = value => Arithmetic.Compute("%", value, 2L, new RenderBudget(0)) is 0L or 0.0,
        ["false"] = value => value is false,
        ["filter"] = value => value is TracedText name && Filters.Has(name.Value),
        ["float"] = value => value is double,
        ["integer"] = value => value is long or BigInteger,
        ["iterable"] = value => value is PythonSequence or PythonDictionary or TracedText or PythonIterator or LoopContext or Undefined,
        ["lower"] = value => value is TracedText text && text.Value.Any(char.IsLower) && !text.Value.Any(char.IsUpper),
        ["mapping"] = value => value is PythonDictionary,
        ["none"] = value => value is null,
        ["number"] = value => value is bool or long or double or BigInteger,
        ["odd"] = value => Arithmetic.Compute("%", value, 2L, new RenderBudget(0)) is 1L or 1.0,
        ["sequence"] = value => value is TracedText or PythonDictionary or PythonSequence { Kind: not SequenceKind.View } or Undefined,
        ["string"] = value => value is TracedText,
        ["test"] = value => value is TracedText name && Has(name.Value),
        ["true"] = value => value is true,
        ["undefined"] = value => value is Undefined,
        ["upper"] = value => value is TracedText text && text.Value.Any(char.IsUpper) && !text.Value.Any(char.IsLower),
    };

    // Those that compare it with another.
    private static readonly Dictionary<string, string> OfTwo = new()
    {
        ["=="] = "==", ["eq"] = "==", ["equalto"] = "==",
        ["!="] = "!=", ["ne"] = "!=",
        [">"] = ">", ["gt"] = ">", ["greaterthan"] = ">",
        [">="] = ">=", ["ge"] = ">=",
        ["<"] = "<", ["lt"] = "<", ["lessthan"] = "<",
        ["<="] = "<=", ["le"] = "<=",
        ["in"] = "in",
    };

    /// <summary>Asks the test of a name.</summary>
    public static bool Apply(string name, Rendering rendering, object? value, Arguments arguments)
    {
        if (OfValue.TryGetValue(name, out Func<object?, bool>? test))
        {
            arguments.Bind(name);
            return test(value);
        }

        object? other = Has(name) ? arguments.Bind(name, "other").Require("other") : throw new JinjaException($"there is no test '{Files.Excerpt.Of(name)}'");
        return name switch
        {
            "divisibleby" => PythonValues.IsTrue(ValueEquality.AreEqual(Arithmetic.Compute("%", value, other, rendering.Budget), 0L, rendering.Budget)),
            "sameas" => ReferenceEquals(value, other) || (value is bool a && other is bool b && a == b),
            _ => ComparisonExpression.Holds(OfTwo[name], value, other, rendering.Budget),
        };
    }

    private static bool Has(string name) => OfValue.ContainsKey(name) || OfTwo.ContainsKey(name) || name is "divisibleby" or "sameas";
}
