using System.Text.Json.Serialization;
using MLNetExtension.Data;
using MLNetExtension.Training;

namespace MLNetExtension.Estimators;

public sealed partial class CausalLanguageModelTrainer
{
    internal static class Defaults
    {
        public const string TextColumnName = "Text";
        public const string LossSumColumnName = "LossSum";
        public const string TokenCountColumnName = "TokenCount";
        public const string ByteCountColumnName = "ByteCount";
        public const int BatchSize = 8;
        public const double LearningRate = 3e-3;
        public const int MaximumEpochs = 1;
        public const int ReportInterval = 50;
    }

    /// <summary>What the trainer reads, what the trained model writes, and how it is trained.</summary>
    public sealed class Options : TrainingOptions
    {
        /// <summary>The column of text to learn, every token of it. Default: <c>Text</c>. Not used where prompt and completion columns are named.</summary>
        public string TextColumnName = Defaults.TextColumnName;

        /// <summary>The column of text that is given and not learnt. Default: null, there is none. Goes with <see cref="CompletionColumnName"/>.</summary>
        public string? PromptColumnName;

        /// <summary>The column of text that is learnt as what follows the prompt. Default: null, there is none. Goes with <see cref="PromptColumnName"/>.</summary>
        public string? CompletionColumnName;

        /// <summary>The output column with a row's summed loss in nats (Single). Default: <c>LossSum</c>.</summary>
        public string LossSumColumnName = Defaults.LossSumColumnName;

        /// <summary>The output column with a row's number of target tokens (Int32). Default: <c>TokenCount</c>.</summary>
        public string TokenCountColumnName = Defaults.TokenCountColumnName;

        /// <summary>The output column with the number of UTF-8 bytes that a row's target tokens spell (Int32). Default: <c>ByteCount</c>.</summary>
        public string ByteCountColumnName = Defaults.ByteCountColumnName;

        /// <summary>Optimizer steps between two lines in <c>MLContext.Log</c>, at least 1. Default: 50.</summary>
        public int ReportInterval = Defaults.ReportInterval;

        /// <summary>Is told of every optimizer step. Default: null. Not saved with the model.</summary>
        [JsonIgnore]
        public IProgress<StepReport>? Progress;

        /// <summary>Stops the training. Default: never. Not saved with the model.</summary>
        [JsonIgnore]
        public CancellationToken CancellationToken;

        internal RowReaderColumns Inputs => PromptColumnName is null
            ? new RowReaderColumns(TextColumnName, null, null)
            : new RowReaderColumns(null, PromptColumnName, CompletionColumnName);

        internal Options Copy() => (Options)MemberwiseClone();

        internal void ValidateAll()
        {
            Validate();
            if ((PromptColumnName is null) != (CompletionColumnName is null))
                throw new ArgumentOutOfRangeException(nameof(PromptColumnName), PromptColumnName,
                    $"{nameof(PromptColumnName)} and {nameof(CompletionColumnName)} go together: name both, or neither to learn {nameof(TextColumnName)}.");
            foreach (var (_, name) in Inputs.Roles)
                CheckName(name, "an input column");
            string[] outputs = [LossSumColumnName, TokenCountColumnName, ByteCountColumnName];
            foreach (string name in outputs)
                CheckName(name, "an output column");
            if (outputs.Distinct().Count() != outputs.Length)
                throw new ArgumentOutOfRangeException(nameof(LossSumColumnName), LossSumColumnName,
                    $"The output columns need three different names, but are called {string.Join(", ", outputs)}.");
            if (ReportInterval < 1)
                throw new ArgumentOutOfRangeException(nameof(ReportInterval), ReportInterval, $"{nameof(ReportInterval)} is {ReportInterval}; it must be at least 1.");
        }

        private static void CheckName(string? name, string what)
        {
            if (string.IsNullOrWhiteSpace(name))
                throw new ArgumentOutOfRangeException(nameof(name), name, $"The name of {what} is '{name}'; it must not be empty.");
        }
    }
}
