using System.CommandLine;

namespace Samples.Commands;

/// <summary>A command whose options fill an object with settings.</summary>
/// <typeparam name="T">The settings.</typeparam>
internal sealed class SettingsCommand<T>(string name, string description) : Command(name, description) where T : new()
{
    private readonly List<Action<T, ParseResult>> _setters = [];

    /// <summary>Adds an option and says which setting gets its value.</summary>
    public void Add<TValue>(Option<TValue> option, Action<T, TValue> set)
    {
        Add(option);
        Configure((settings, parsed) => set(settings, parsed.GetValue(option)!));
    }

    /// <summary>Fills settings from several options, after those that were added before.</summary>
    public void Configure(Action<T, ParseResult> set) => _setters.Add(set);

    /// <summary>Reads the settings of a command line.</summary>
    public T Read(ParseResult parsed)
    {
        T settings = new();
        foreach (Action<T, ParseResult> set in _setters)
            set(settings, parsed);
        return settings;
    }
}
