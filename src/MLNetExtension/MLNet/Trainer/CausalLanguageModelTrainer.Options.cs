using System.Text.Json.Serialization;
using Microsoft.ML;
using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Generation;
using MLNetExtension.MLNet.Schema;
using MLNetExtension.MLNet.Scoring;
using MLNetExtension.Models.Lora;
using MLNetExtension.Training;
using MLNetExtension.Training.Reports;

namespace MLNetExtension;

public sealed partial class CausalLanguageModelTrainer
{
    internal static class Defaults
    {
        public const string TextColumnName = "Text";
        public const string LossSumColumnName = "LossSum";
        public const string TokenCountColumnName = "TokenCount";
        public const string ByteCountColumnName = "ByteCount";
        public const string CorrectCountColumnName = "CorrectCount";
        public const string PerplexityColumnName = "Perplexity";
        public const string TokenLogProbabilitiesColumnName = "TokenLogProbabilities";
        public const string GeneratedTextColumnName = "GeneratedText";
        public const int BatchSize = 8;
        public const double LearningRate = 3e-3;
        public const int MaximumEpochs = 1;
        public const int ReportInterval = 50;
        public const int EvaluationInterval = 100;
        public const int CheckpointInterval = 500;
    }

    /// <summary>What the trainer reads, what the trained model writes, and how it is trained.</summary>
    public sealed class Options : TrainingOptions
    {
        /// <summary>The column of text to learn, every token of it. Default: <c>Text</c>. Not used where prompt and completion columns or one of token ids are named.</summary>
        public string TextColumnName = Defaults.TextColumnName;

        /// <summary>The column of text that is given and not learnt. Default: null, there is none. Goes with <see cref="CompletionColumnName"/>.</summary>
        public string? PromptColumnName;

        /// <summary>The column of text that is learnt as what follows the prompt. Default: null, there is none. Goes with <see cref="PromptColumnName"/>.</summary>
        public string? CompletionColumnName;

        /// <summary>
        /// The column of token ids to learn, every one of them (a vector of Int32, of any size), for texts that are tokens already: the model's own, without the
        /// end-of-text at their ends. Default: null, there is none. Stands in place of the text columns.
        /// </summary>
        public string? TokenIdsColumnName;

        /// <summary>
        /// The column of chats to learn, as JSON text (<c>[{"role": "user", "content": "..."}, ...]</c>): what the assistant says is learnt, the rest is read. Needs a tokenizer with a chat
        /// template, as chat models are published with. Default: null, there is none. Stands in place of the text columns.
        /// </summary>
        public string? MessagesColumnName;

        /// <summary>
        /// A folder with a model as published (<c>config.json</c>, <c>*.safetensors</c>, tokenizer files), to train on from its weights. Default: null, a new network is trained from scratch.
        /// Where it is given, the sizes of the network are the model's, and <see cref="TrainingOptions.ContextLength"/> is at most its context. Known model types: see <see cref="HuggingFaceModel"/>.
        /// </summary>
        public string? PretrainedFolder;

        /// <summary>A folder with tokenizer files for a network that is trained from scratch. Default: null, tokens are bytes. Not with <see cref="PretrainedFolder"/>, which has its own.</summary>
        public string? TokenizerFolder;

        /// <summary>
        /// Low-rank adapters, which alone are trained, beside weights that stay as they are. Default: null, all weights are trained. With a <see cref="TrainingOptions.ComputePrecision"/> of
        /// <see cref="ComputePrecision.BFloat16"/> the frozen weights of a pretrained model are kept in that precision, and the adapters in float32.
        /// </summary>
        public LoraOptions? Lora;

        /// <summary>
        /// The column with a row's weight (Single, finite, at least 0), by which its summed loss and its number of target tokens are multiplied; a row of weight 0 is
        /// as if it were not there. Default: null, every row weighs 1. Read in training, not in scoring; an evaluation names its own.
        /// </summary>
        public string? ExampleWeightColumnName;

        /// <summary>The output column with a row's summed loss in nats (Single). Default: <c>LossSum</c>.</summary>
        public string LossSumColumnName = Defaults.LossSumColumnName;

        /// <summary>The output column with a row's number of target tokens (Int32). Default: <c>TokenCount</c>.</summary>
        public string TokenCountColumnName = Defaults.TokenCountColumnName;

        /// <summary>The output column with the number of UTF-8 bytes that a row's target tokens spell (Int32). Default: <c>ByteCount</c>.</summary>
        public string ByteCountColumnName = Defaults.ByteCountColumnName;

        /// <summary>The output column with how many of a row's target tokens the model thinks the likeliest (Int32). Default: <c>CorrectCount</c>.</summary>
        public string CorrectCountColumnName = Defaults.CorrectCountColumnName;

        /// <summary>The output column with the exponential of a row's mean loss (Single; NaN where it has no target token). Default: <c>Perplexity</c>.</summary>
        public string PerplexityColumnName = Defaults.PerplexityColumnName;

        /// <summary>The output column with the natural logarithm of each target token's probability (vector of Single). Default: <c>TokenLogProbabilities</c>.</summary>
        public string TokenLogProbabilitiesColumnName = Defaults.TokenLogProbabilitiesColumnName;

        /// <summary>The output column with what the model writes after a row's prompt, text or token ids (text). Default: <c>GeneratedText</c>.</summary>
        public string GeneratedTextColumnName = Defaults.GeneratedTextColumnName;

        /// <summary>How that text is generated. Default: greedily, at most 100 tokens. A temperature above 0 needs a seed, so that a row reads the same each time.</summary>
        public GenerationOptions GeneratedText = new() { Temperature = 0 };

        /// <summary>Optimizer steps between two lines in <c>MLContext.Log</c>, at least 1. Default: 50.</summary>
        public int ReportInterval = Defaults.ReportInterval;

        /// <summary>Is told of every optimizer step. Default: null. Not saved with the model.</summary>
        [JsonIgnore]
        public IProgress<StepReport>? Progress;

        /// <summary>
        /// Rows that are not learnt, on which the loss is measured while training goes on; the model has the weights that were best on them. Default: null, none. It has the text columns as the
        /// trainer reads them: what stands before the trainer in a pipeline is applied to the training data alone. Measuring changes nothing in the training. Not saved with the model.
        /// </summary>
        [JsonIgnore]
        public IDataView? ValidationSet;

        /// <summary>Optimizer steps between two evaluations of <see cref="ValidationSet"/>, at least 1; the last step is always evaluated. Default: 100.</summary>
        public int EvaluationInterval = Defaults.EvaluationInterval;

        /// <summary>Training stops after this many evaluations in a row without a lower loss. Default: null; it and 0 mean never. Needs <see cref="ValidationSet"/>.</summary>
        public int? Patience;

        /// <summary>
        /// The folder where the training writes down how far it came. Default: null, nowhere. Where it holds a checkpoint of the same options and data, <c>Fit</c> goes on from there, bit for bit
        /// if <see cref="TrainingOptions.MaximumTokensPerMicroBatch"/> is set and time is not the limit; one of another training is refused. <see cref="TrainingOptions.Seed"/> must be set, or that of the <c>MLContext</c>.
        /// Not saved with the model.
        /// </summary>
        [JsonIgnore]
        public string? CheckpointFolder;

        /// <summary>Optimizer steps between two checkpoints, at least 1; one more is written where <see cref="StopToken"/> ends the training. Default: 500. Not saved with the model.</summary>
        [JsonIgnore]
        public int CheckpointInterval = Defaults.CheckpointInterval;

        /// <summary>Breaks the training off: <c>Fit</c> throws <see cref="OperationCanceledException"/>, and nothing is kept. Default: never. Not saved with the model.</summary>
        [JsonIgnore]
        public CancellationToken CancellationToken;

        /// <summary>Ends the training in order: the step under way is finished, and <c>Fit</c> returns what was learnt so far, as if a limit had been reached. Default: never. Not saved
        /// with the model.</summary>
        [JsonIgnore]
        public CancellationToken StopToken;

        internal RowReaderColumns Inputs =>
            TokenIdsColumnName is not null ? new RowReaderColumns(null, null, null, TokenIds: TokenIdsColumnName, Weight: ExampleWeightColumnName)
            : MessagesColumnName is not null ? new RowReaderColumns(null, null, null, Messages: MessagesColumnName, Weight: ExampleWeightColumnName)
            : PromptColumnName is not null ? new RowReaderColumns(null, PromptColumnName, CompletionColumnName, Weight: ExampleWeightColumnName)
            : new RowReaderColumns(TextColumnName, null, null, Weight: ExampleWeightColumnName);

        internal Options Copy() => (Options)MemberwiseClone();

        /// <summary>What a trained model remembers: not the data and the callbacks of its training, which would live as long as it does.</summary>
        internal Options ForModel()
        {
            var options = Copy();
            (options.ValidationSet, options.Progress, options.CancellationToken, options.StopToken) = (null, null, default, default);
            return options;
        }

        internal void ValidateAll()
        {
            Validate();
            if ((PromptColumnName is null) != (CompletionColumnName is null))
                throw new ArgumentOutOfRangeException(nameof(PromptColumnName), PromptColumnName,
                    $"{nameof(PromptColumnName)} and {nameof(CompletionColumnName)} go together: name both, or neither to learn {nameof(TextColumnName)}.");
            (string Option, string? Name)[] kinds = [(nameof(TokenIdsColumnName), TokenIdsColumnName), (nameof(MessagesColumnName), MessagesColumnName), (nameof(PromptColumnName), PromptColumnName)];
            if (kinds.Where(kind => kind.Name is not null).ToArray() is [var first, var second, ..])
                throw new ArgumentOutOfRangeException(first.Option, first.Name,
                    $"{first.Option} is '{first.Name}' and {second.Option} is '{second.Name}'; rows hold either token ids, chats or text: name one of them.");
            foreach (string? folder in new[] { PretrainedFolder, TokenizerFolder })
            {
                if (folder is not null)
                    CheckName(folder, "a folder");
            }
            if (PretrainedFolder is not null && TokenizerFolder is not null)
                throw new ArgumentOutOfRangeException(nameof(TokenizerFolder), TokenizerFolder,
                    $"{nameof(TokenizerFolder)} is '{TokenizerFolder}' beside {nameof(PretrainedFolder)} '{PretrainedFolder}', which has a tokenizer of its own: name one of them.");
            Lora?.Validate();
            foreach (var (_, name) in Inputs.Roles)
                CheckName(name, "an input column");
            if (ExampleWeightColumnName is not null)
                CheckName(ExampleWeightColumnName, "the weight column");
            string[] outputs = [.. OutputColumn.Named(this).Select(output => output.Name)];
            foreach (string name in outputs)
                CheckName(name, "an output column");
            if (outputs.Distinct().Count() != outputs.Length)
                throw new ArgumentOutOfRangeException(nameof(LossSumColumnName), LossSumColumnName,
                    $"The output columns need different names, but are called {string.Join(", ", outputs)}.");
            if (GeneratedText is null)
                throw new ArgumentNullException(nameof(GeneratedText), $"{nameof(GeneratedText)} is null; it says how the column '{GeneratedTextColumnName}' is generated.");
            GeneratedText.Validate();
            if (GeneratedText is { Temperature: > 0, Seed: null })
                throw new ArgumentOutOfRangeException(nameof(GeneratedText), GeneratedText.Temperature,
                    $"{nameof(GeneratedText)} has a temperature above 0 and no seed; allowed is a temperature of 0, or a seed beside it, so that a row reads the same each time.");
            CheckAtLeast(ReportInterval, 1, nameof(ReportInterval));
            CheckAtLeast(EvaluationInterval, 1, nameof(EvaluationInterval));
            CheckAtLeast(CheckpointInterval, 1, nameof(CheckpointInterval));
            if (CheckpointFolder is not null)
                CheckName(CheckpointFolder, nameof(CheckpointFolder));
            CheckAtLeast(Patience ?? 0, 0, nameof(Patience));
            if (Patience > 0 && ValidationSet is null)
                throw new ArgumentOutOfRangeException(nameof(Patience), Patience, $"{nameof(Patience)} is {Patience}, but there is no {nameof(ValidationSet)} to measure: set it too.");
        }

        private static void CheckAtLeast(int value, int least, string option)
        {
            if (value < least)
                throw new ArgumentOutOfRangeException(option, value, $"{option} is {value}; it must be at least {least}.");
        }

        private static void CheckName(string? name, string what)
        {
            if (string.IsNullOrWhiteSpace(name))
                throw new ArgumentOutOfRangeException(nameof(name), name, $"The name of {what} is '{name}'; it must not be empty.");
        }
    }
}
