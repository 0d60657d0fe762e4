using MLNetExtension.Files;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Reads a component of <c>tokenizer.json</c> by its type, and refuses what is not known of it.</summary>
/// <typeparam name="T">What it is read to.</typeparam>
/// <param name="readers">The types that are known.</param>
/// <param name="list">The key under which a <c>Sequence</c> has its components.</param>
/// <param name="join">Makes one of the components of a sequence.</param>
internal sealed class ComponentReader<T>(IReadOnlyDictionary<string, Func<JsonObjectReader, T>> readers, string list, Func<IReadOnlyList<T>, JsonObjectReader, T> join)
{
    // Published files have at most six, in sequences that are not nested; each may be a pattern to compile.
    private const int MaximumComponents = 64;
    private const int MaximumNesting = 4;

    // Of these, trim_offsets tells where tokens stand and never which they are, a causal language model reads one text, so that the template for pairs does not matter, and str_rep repeats the replacement.
    private static readonly HashSet<string> Harmless = ["trim_offsets", "pair", "str_rep"];

    private readonly Dictionary<string, Func<JsonObjectReader, T>> _readers = readers.ToDictionary();

    /// <summary>Reads a component.</summary>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    /// <exception cref="NotSupportedException">Its type or an option is not known; the message names it and those that are.</exception>
    public T Read(JsonObjectReader component) => Read(component, 0);

    private T Read(JsonObjectReader component, int nesting)
    {
        var known = new Dictionary<string, Func<JsonObjectReader, T>>(_readers) { ["Sequence"] = sequence => ReadSequence(sequence, nesting + 1) };
        T result = component.GetChoice("type", known)(component);
        component.RefuseUnread(Harmless);
        return result;
    }

    private T ReadSequence(JsonObjectReader sequence, int nesting)
    {
        int count = sequence.GetItems(list).Count;
        if (count > MaximumComponents)
            throw new NotSupportedException($"{sequence.Name}: '{list}' has {count} components, expected at most {MaximumComponents}.");
        if (nesting > MaximumNesting)
            throw new NotSupportedException($"{sequence.Name}: sequences nested more than {MaximumNesting} deep are not supported.");

        return join([.. sequence.GetObjects(list).Select(item => Read(item, nesting))], sequence);
    }
}
