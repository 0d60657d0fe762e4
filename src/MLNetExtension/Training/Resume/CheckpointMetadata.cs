using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using MLNetExtension.Files;

namespace MLNetExtension.Training.Resume;

/// <summary>What a checkpoint stores beside its tensors, as JSON.</summary>
/// <param name="FormatVersion">The version of the format.</param>
/// <param name="Settings">Settings and data, by name, that must be the same for the run to be resumed.</param>
/// <param name="Steps">Optimizer steps taken.</param>
/// <param name="Updates">Updates of the weights.</param>
/// <param name="OptimizerState">Names of the optimizer's tensors.</param>
/// <param name="Elapsed">Time spent training.</param>
/// <param name="TargetTokens">Target tokens trained on.</param>
/// <param name="Best">The best evaluation so far; null where there was none.</param>
/// <param name="Average">The average of the weights; null where there is none.</param>
internal sealed record CheckpointMetadata(
    int FormatVersion, IReadOnlyDictionary<string, string> Settings, int Steps, int Updates, IReadOnlyList<string> OptimizerState, TimeSpan Elapsed, long TargetTokens,
    CheckpointMetadata.BestEvaluation? Best, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] CheckpointMetadata.AverageState? Average = null)
{
    /// <summary>The version that this library writes, and the newest that it reads.</summary>
    public const int CurrentVersion = 1;

    // Of versions that had no other optimizer and did not write the names.
    private static readonly string[] AdamWState = ["first_moment", "second_moment"];

    // A century: what is left of a TimeSpan's range is enough for whatever is added.
    private static readonly TimeSpan MaximumElapsed = TimeSpan.FromDays(36525);

    /// <summary>Reads what was written, and checks that a training can have come to it.</summary>
    /// <param name="root">The JSON.</param>
    /// <param name="name">What messages call it.</param>
    /// <exception cref="InvalidDataException">A value is missing, of another type or out of its range.</exception>
    /// <exception cref="NotSupportedException">A later version of this library wrote it.</exception>
    public static CheckpointMetadata Parse(JsonElement root, string name)
    {
        JsonObjectReader state = new(root, name);
        int version = state.GetInteger(nameof(FormatVersion));
        if (version > CurrentVersion)
            throw new NotSupportedException($"{name} has format {version}; this version of MLNetExtension reads formats up to {CurrentVersion}.");
        int steps = (int)state.GetCount(nameof(Steps), int.MaxValue);
        return new CheckpointMetadata(
            version,
            ParseSettings(state),
            steps,
            (int)state.GetCount(nameof(Updates), steps),
            state.Contains(nameof(OptimizerState)) ? state.GetStrings(nameof(OptimizerState)).Strings : AdamWState,
            ParseElapsed(state),
            state.GetCount(nameof(TargetTokens), steps * (long)int.MaxValue),
            state.FindObject(nameof(Best)) is { } best ? BestEvaluation.Parse(best, steps) : null,
            state.FindObject(nameof(Average)) is { } average ? AverageState.Parse(average, steps) : null);
    }

    private static Dictionary<string, string> ParseSettings(JsonObjectReader state)
    {
        Dictionary<string, string> settings = [];
        foreach (JsonProperty setting in state.GetObject(nameof(Settings)).Properties)
            settings.Add(setting.Name, setting.Value.ValueKind == JsonValueKind.String ? setting.Value.GetString()! : throw state.Unexpected(setting.Name, setting.Value, "a string"));
        return settings;
    }

    private static TimeSpan ParseElapsed(JsonObjectReader state)
    {
        string text = state.GetString(nameof(Elapsed));
        return TimeSpan.TryParseExact(text, "c", CultureInfo.InvariantCulture, out TimeSpan elapsed) && elapsed >= TimeSpan.Zero && elapsed <= MaximumElapsed ? elapsed
            : throw state.Unexpected(nameof(Elapsed), state.Find(nameof(Elapsed))!.Value, $"a time from 0 to {MaximumElapsed.TotalDays:F0} days");
    }

    /// <param name="Loss">The lowest loss, in nats per target token; null where none was a number, and then there are no best weights.</param>
    /// <param name="Step">The step after which it was measured.</param>
    /// <param name="LastStep">The step after which a loss was last measured.</param>
    /// <param name="WithoutImprovement">Evaluations since the best.</param>
    /// <param name="IsAveraged">Whether the weights were an average.</param>
    internal sealed record BestEvaluation(
        double? Loss, int Step, int LastStep, int WithoutImprovement, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] bool IsAveraged = false)
    {
        // A step is evaluated once at most, and so is the beginning.
        internal static BestEvaluation Parse(JsonObjectReader best, int steps)
        {
            int lastStep = (int)best.GetCount(nameof(LastStep), steps);
            return new BestEvaluation(
                best.FindNumber(nameof(Loss)), (int)best.GetCount(nameof(Step), lastStep), lastStep, (int)best.GetCount(nameof(WithoutImprovement), lastStep + 1L),
                best.GetBoolean(nameof(IsAveraged), false));
        }
    }

    /// <param name="Count">Steps whose weights are in the average.</param>
    /// <param name="LastStep">The last of them.</param>
    internal sealed record AverageState(int Count, int LastStep)
    {
        internal static AverageState Parse(JsonObjectReader average, int steps) => new((int)average.GetCount(nameof(Count), steps), (int)average.GetCount(nameof(LastStep), steps));
    }
}
