using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using MLNetExtension.Training;
using Samples.Jobs;

namespace Samples.Commands;

/// <summary>Creates options that check their values, and those that several commands have.</summary>
internal static class OptionFactory
{
    private const string Formats = "plain text (a row per line), .csv or .tsv with a header, or .jsonl";

    /// <summary>A whole number of at least <paramref name="minimum"/>.</summary>
    public static Option<int> Integer(string name, int defaultValue, int minimum, string description)
    {
        Option<int> option = new(name) { Description = description, HelpName = "N", DefaultValueFactory = _ => defaultValue };
        return option.Check(value => value >= minimum, $"a whole number of at least {minimum}");
    }

    /// <summary>A whole number of at least <paramref name="minimum"/>, or null if the option is not given.</summary>
    public static Option<int?> OptionalInteger(string name, int minimum, string description)
    {
        Option<int?> option = new(name) { Description = description, HelpName = "N" };
        return option.Check(value => value >= minimum, $"a whole number of at least {minimum}");
    }

    /// <summary>A number in a range, by default the finite numbers of at least 0.</summary>
    public static Option<double> Number(string name, double defaultValue, string description, Func<double, bool>? isAllowed = null, string range = "at least 0")
    {
        Option<double> option = new(name) { Description = description, HelpName = "X", DefaultValueFactory = _ => defaultValue };
        return option.Check(isAllowed ?? (value => value >= 0 && double.IsFinite(value)), range);
    }

    /// <summary>A number in a range, by default the finite numbers above 0, or null if the option is not given.</summary>
    public static Option<double?> OptionalNumber(string name, string description, Func<double, bool>? isAllowed = null, string range = "above 0")
    {
        Option<double?> option = new(name) { Description = description, HelpName = "X" };
        return option.Check(isAllowed ?? (value => value > 0 && double.IsFinite(value)), range);
    }

    /// <summary>The share that dropout zeroes, or null if the option is not given.</summary>
    public static Option<double?> Dropout(string description) => OptionalNumber("--dropout", description, value => value is >= 0 and < 1, "from 0 to below 1");

    /// <summary>One of the names of an enum, ignoring case.</summary>
    public static Option<T> Choice<T>(string name, T defaultValue, string description) where T : struct, Enum
    {
        string[] names = Enum.GetNames<T>();
        Option<T> option = new(name) { Description = description, HelpName = string.Join('|', names), DefaultValueFactory = _ => defaultValue };
        option.AcceptOnlyFromAmong(StringComparer.OrdinalIgnoreCase, names);
        return option;
    }

    /// <summary>The processes that <c>mpirun</c> has started, or null for this one alone.</summary>
    /// <param name="description">What they do together.</param>
    public static Option<RankOptions?> Ranks(string description) => new("--ranks")
    {
        Description = $"mpi: the processes that mpirun has started {description}. Default: this process alone.",
        HelpName = "mpi",
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (text == "mpi")
                return RankOptions.Mpi();
            result.AddError($"--ranks is '{text}'; allowed is mpi.");
            return null;
        },
    };

    /// <summary>One of the names of an enum, ignoring case, or null if the option is not given.</summary>
    public static Option<T?> OptionalChoice<T>(string name, string description) where T : struct, Enum
    {
        string[] names = Enum.GetNames<T>();
        Option<T?> option = new(name) { Description = description, HelpName = string.Join('|', names) };
        option.AcceptOnlyFromAmong(StringComparer.OrdinalIgnoreCase, names);
        return option;
    }

    /// <summary>How often a training may pass over its rows, or null.</summary>
    /// <param name="defaultValue">Where none is given.</param>
    public static Option<int?> Epochs(string defaultValue) => OptionalInteger("--epochs", 1, $"Maximum passes over the rows. Default: {defaultValue}.");

    /// <summary>The time that a training may take, in minutes, or null.</summary>
    public static Option<TimeSpan?> Minutes(string description) => new("--minutes")
    {
        Description = description,
        HelpName = "X",
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (double.TryParse(text, CultureInfo.InvariantCulture, out double minutes) && minutes is > 0 and < 1e6)
                return TimeSpan.FromMinutes(minutes);
            result.AddError($"--minutes is {text}; allowed is above 0.");
            return null;
        },
    };

    /// <summary>A number of optimizer steps or of epochs.</summary>
    public static Option<TrainingInterval> Interval(string name, TrainingInterval defaultValue, string description) => new(name)
    {
        Description = description + " A number of optimizer steps, or of epochs, such as 0.5epochs.",
        HelpName = "N|Xepochs",
        DefaultValueFactory = _ => defaultValue,
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value, epochs = text.TrimEnd('s');
            if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int steps) && steps >= 1)
                return steps;
            if (epochs.EndsWith("epoch", StringComparison.Ordinal) && double.TryParse(epochs[..^5], CultureInfo.InvariantCulture, out double count) && count > 0 && double.IsFinite(count))
                return TrainingInterval.Epochs(count);
            result.AddError($"{name} is '{text}'; allowed is a whole number of steps of at least 1, or a number of epochs above 0, such as 0.5epochs.");
            return defaultValue;
        },
    };

    /// <summary>A file with rows.</summary>
    public static Option<string> Data(string rows) => new("--data") { Description = $"{rows}: {Formats}.", HelpName = "FILE", Required = true };

    /// <summary>A file with rows, or null if the option is not given.</summary>
    public static Option<string?> OptionalData(string rows) => new("--data") { Description = $"{rows}: {Formats}.", HelpName = "FILE" };

    /// <summary>A file with rows, or null for the documentation of the .NET API.</summary>
    public static Option<string?> DataOrDocumentation() =>
        new("--data") { Description = $"Your own rows: {Formats}. Default: the XML documentation of the .NET API in the SDK's reference packs.", HelpName = "FILE" };

    /// <summary>The folder that a command writes to.</summary>
    public static Option<string> OutputFolder(string defaultFolder, string description) => new("--output") { Description = description, HelpName = "DIR", DefaultValueFactory = _ => defaultFolder };

    /// <summary>The file of a saved model.</summary>
    public static Option<string> Model() =>
        new("--model") { Description = "A model that train or finetune saved.", HelpName = "FILE", DefaultValueFactory = _ => Path.Combine("artifacts", "train", "model.zip") };

    /// <summary>The file of a saved model, or the folder of a published one.</summary>
    public static Option<string> ModelOrFolder() =>
        new("--model") { Description = "A model that train or finetune saved, or a folder with a published one.", HelpName = "FILE|DIR", DefaultValueFactory = _ => Path.Combine("artifacts", "train", "model.zip") };

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

    private static Option<T> Check<T>(this Option<T> option, Func<double, bool> isAllowed, string range)
    {
        option.Validators.Add(result =>
        {
            // Text that is no number is reported by the parser.
            if (result.Tokens is [Token token] && double.TryParse(token.Value, out double value) && !isAllowed(value))
                result.AddError($"{option.Name} is {token.Value}; allowed is {range}.");
        });
        return option;
    }
}
