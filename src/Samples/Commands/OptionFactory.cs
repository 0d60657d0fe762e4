using System.CommandLine;
using System.CommandLine.Parsing;

namespace Samples.Commands;

/// <summary>Options that check their values, and those that several commands share.</summary>
internal static class OptionFactory
{
    /// <summary>A whole number that is at least <paramref name="minimum"/>.</summary>
    public static Option<int> Integer(string name, int defaultValue, int minimum, string description)
    {
        Option<int> option = new(name) { Description = description, DefaultValueFactory = _ => defaultValue, HelpName = "N" };
        Check(option, result => result.GetValueOrDefault<int>(), value => value >= minimum, $"a whole number of at least {minimum}");
        return option;
    }

    /// <summary>A whole number that is at least <paramref name="minimum"/>, or null where the option is not given.</summary>
    public static Option<int?> OptionalInteger(string name, int minimum, string description)
    {
        Option<int?> option = new(name) { Description = description, HelpName = "N" };
        Check(option, result => result.GetValueOrDefault<int?>(), value => value >= minimum, $"a whole number of at least {minimum}");
        return option;
    }

    /// <summary>A number in a range that the caller checks and describes.</summary>
    public static Option<double> Number(string name, double defaultValue, Func<double, bool> allowed, string range, string description)
    {
        Option<double> option = new(name) { Description = description, DefaultValueFactory = _ => defaultValue, HelpName = "X" };
        Check(option, result => result.GetValueOrDefault<double>(), allowed, range);
        return option;
    }

    /// <summary>As <see cref="Number"/>, or null where the option is not given.</summary>
    public static Option<double?> OptionalNumber(string name, Func<double, bool> allowed, string range, string description)
    {
        Option<double?> option = new(name) { Description = description, HelpName = "X" };
        Check(option, result => result.GetValueOrDefault<double?>(), value => allowed(value!.Value), range);
        return option;
    }

    /// <summary>One of an enum's names, in any case; another is refused with the list of them.</summary>
    public static Option<T> Choice<T>(string name, T defaultValue, string description) where T : struct, Enum
    {
        string[] names = Enum.GetNames<T>();
        Option<T> option = new(name) { Description = description, DefaultValueFactory = _ => defaultValue, HelpName = string.Join('|', names) };
        option.AcceptOnlyFromAmong(StringComparer.OrdinalIgnoreCase, names);
        return option;
    }

    public static Option<string?> JsonFile()
    {
        Option<string?> option = new("--json") { Description = "Also write what is reported to this file, as JSON.", HelpName = "FILE" };
        option.Validators.Add(result =>
        {
            string path = Path.GetFullPath(result.GetValueOrDefault<string?>() ?? "");
            if (Directory.Exists(path))
                result.AddError($"--json {path} is a folder, not a file.");
            else if (!Directory.Exists(Path.GetDirectoryName(path)))
                result.AddError($"The folder of --json {path} does not exist.");
        });
        return option;
    }

    public static Option<DeviceChoice> Device() => new("--device")
    {
        Description = "cpu, cuda or cuda:N.",
        HelpName = "cpu|cuda|cuda:N",
        DefaultValueFactory = _ => default,
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (DeviceChoice.TryParse(text) is { } device)
                return device;
            result.AddError($"--device is '{text}'; allowed is cpu, cuda or cuda:N.");
            return default;
        },
    };

    public static Option<int> Seed(string of = "everything that is drawn: the split, the weights, the order of rows, the samples") => Integer("--seed", 1, 0, $"Seed of {of}.");

    private static void Check<T>(Option<T> option, Func<OptionResult, T> read, Func<T, bool> allowed, string range) => option.Validators.Add(result =>
    {
        // Where the text is no number at all, the parser has said so already.
        if (result.Implicit || result.Tokens.Count == 0 || result.Errors.Any())
            return;
        T value;
        try
        {
            value = read(result);
        }
        catch (InvalidOperationException)
        {
            return;
        }
        if (!allowed(value))
            result.AddError($"{option.Name} is {result.Tokens[0].Value}; allowed is {range}.");
    });
}
