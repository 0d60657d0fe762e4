using System.Text.RegularExpressions;

namespace MLNetExtension.Models.Lora;

/// <summary>A pattern for names of modules: a whole name, or its end after a dot; <c>*</c> stands for any characters.</summary>
internal static class ModulePattern
{
    /// <summary>Selects what patterns name, in the order in which it is given.</summary>
    /// <param name="modules">All there are.</param>
    /// <param name="nameOf">Gives the name of one.</param>
    /// <param name="patterns">The patterns.</param>
    /// <param name="refuse">Makes the error for a pattern that names none.</param>
    public static IReadOnlyList<T> Select<T>(IReadOnlyList<T> modules, Func<T, string> nameOf, IReadOnlyList<string> patterns, Func<string, Exception> refuse)
        where T : class
    {
        HashSet<T> selected = [];
        foreach (string pattern in patterns)
        {
            Regex regex = new($@"(^|\.){Regex.Escape(pattern).Replace("\\*", ".*")}$", RegexOptions.CultureInvariant);
            List<T> named = [.. modules.Where(module => regex.IsMatch(nameOf(module)))];
            if (named.Count == 0)
                throw refuse(pattern);
            selected.UnionWith(named);
        }
        return [.. modules.Where(selected.Contains)];
    }
}
