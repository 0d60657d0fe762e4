using System.CommandLine;
using System.CommandLine.Parsing;
using Samples.Jobs;

namespace Samples.Commands;

/// <summary>Creates options that check their values, and those that several commands have.</summary>
internal static class OptionFactory
{
    private const string Formats = "plain text (a row per line), .csv or .tsv with a header, or .jsonl";

    /// <summary>A whole number of at least <paramref name="minimum"/>.</summary>
    public static Option<int> Integer(string name, int defaultValue, int minimum, string description)
    {
        Option<int> option = new(name) { Description = description, DefaultValueFactory = _ => defaultValue, HelpName = "N" };
        Check(option, result => result.GetValueOrDefault<int>(), value => value >= minimum, $"a whole number of at least {minimum}");
        return option;
    }

    /// <summary>A whole number of at least <paramref name="minimum"/>, or null if the option is not given.</summary>
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

    /// <summary>As <see cref="Number"/>, or null if the option is not given.</summary>
    public static Option<double?> OptionalNumber(string name, Func<double, bool> allowed, string range, string description)
    {
        Option<double?> option = new(name) { Description = description, HelpName = "X" };
        Check(option, result => result.GetValueOrDefault<double?>(), value => allowed(value!.Value), range);
        return option;
    }

    /// <summary>One of the names of an enum, ignoring case.</summary>
    public static Option<T> Choice<T>(string name, T defaultValue, string description) where T : struct, Enum
    {
        string[] names = Enum.GetNames<T>();
        Option<T> option = new(name) { Description = description, DefaultValueFactory = _ => defaultValue, HelpName = string.Join('|', names) };
        option.AcceptOnlyFromAmong(StringComparer.OrdinalIgnoreCase, names);
        return option;
    }

    /// <summary>The minutes that a training may take, or null.</summary>
    public static Option<double?> Minutes(string description) => OptionalNumber("--minutes", value => value is > 0 and < 1e6, "above 0", description);

    /// <summary>A file with rows.</summary>
    public static Option<string> Data(string rows) => new("--data") { Description = $"{rows}: {Formats}.", HelpName = "FILE", Required = true };

    /// <summary>A file with rows, or null for the documentation of the .NET API.</summary>
    public static Option<string?> DataOrDocumentation() => new("--data")
    {
        Description = $"Your own rows: {Formats}. Default: the XML documentation of the .NET API in the SDK's reference packs.",
        HelpName = "FILE",
    };

    /// <summary>The folder that a command writes to.</summary>
    public static Option<string> OutputFolder(string defaultFolder, string description) => new("--output") { Description = description, HelpName = "DIR", DefaultValueFactory = _ => defaultFolder };

    /// <summary>The file of a saved model.</summary>
    public static Option<string> Model() => new("--model")
    {
        Description = "A model that train or finetune saved.",
        HelpName = "FILE",
        DefaultValueFactory = _ => Path.Combine("artifacts", "train", "model.zip"),
    };

    /// <summary>A file for the report, or null.</summary>
    public static Option<string?> JsonFile()
    {
        Option<string?> option = new("--json") { Description = "Also write the report to this file, as JSON.", HelpName = "FILE" };
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

    /// <summary>The device to compute on.</summary>
    public static Option<DeviceChoice> Device() => new("--device")
    {
        Description = "The device to compute on: cpu, cuda or cuda:N.",
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

    /// <summary>The seed of random numbers.</summary>
    public static Option<int> Seed(string use) => Integer("--seed", 1, 0, $"Seed of {use}.");

    private static void Check<T>(Option<T> option, Func<OptionResult, T> read, Func<T, bool> allowed, string range) => option.Validators.Add(result =>
    {
        // If the text is not a number, the parser has already reported that.
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
