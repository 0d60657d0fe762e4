using System.Text.Json.Serialization;
using MLNetExtension.Data;
using MLNetExtension.Models.Lora;
using MLNetExtension.Training;
using MLNetExtension.Training.Optimization;
using MLNetExtension.Training.Preference;
using MLNetExtension.Training.Reports;

namespace MLNetExtension;

public sealed partial class CausalLanguageModelTrainer
{
    /// <summary>What the trainer reads, which model it trains and how, and what the trained model writes.</summary>
    public class Options
    {
        /// <summary>The columns that are trained on. Default: the text column <c>Text</c>.</summary>
        public InputColumns Columns = InputColumns.Text();

        /// <summary>The model that is trained. Default: a new GPT-2 network of 4 layers on bytes.</summary>
        public LanguageModel Model = LanguageModel.Gpt2();

        /// <summary>
        /// Low-rank adapters, which alone are trained, beside frozen weights. Default: null, all weights are trained. With <see cref="ComputePrecision.BFloat16"/> the frozen weights of a
        /// pretrained model are kept in that precision, and the adapters in float32.
        /// </summary>
        public LoraOptions? Adapters;

        /// <summary>Rows of an optimizer step, however they are split into micro-batches. Default: 8; at least 1, and more than there are rows is all of them.</summary>
        public int BatchSize = TrainingOptions.DefaultBatchSize;

        /// <summary>
        /// Target tokens of an optimizer step, in place of a number of rows: for rows whose lengths differ much. At least 1. Every epoch has as few steps as keep the mean at or below this number, and parts its target
        /// tokens among them as evenly as whole rows allow: a batch has at least one row and at most one row's tokens more. What counts are the tokens of texts and completions, as in
        /// <see cref="StepReport.TargetTokens"/>. Default: null; <see cref="BatchSize"/> counts rows, and must be left at its default beside this.
        /// </summary>
        public int? BatchTargetTokens;

        /// <summary>
        /// Learning rate after the warm-up, above 0 and at most 1e30. Default: null; it follows from what is trained, as do the defaults of <see cref="OptimizerOptions.WeightDecay"/> and <see cref="AdamWOptions.Beta2"/>:
        /// <list type="bullet">
        /// <item>a new network: 3e-3 up to a width of 128 and in inverse proportion to the width from there on, close to table 2.1 of T. Brown et al., "Language models are few-shot learners", 2020; 1e-3 for a
        /// network of one's own;</item>
        /// <item>a pretrained model: 5e-5; low-rank adapters: 2e-4;</item>
        /// <item>these are for AdamW and Muon; Lion has a tenth of them, SGD 0.1 for a new network and else 0.01, Adafactor, whose rate is a share of the weights, 1e-2 and else 1e-3.</item>
        /// </list>
        /// The values taken are in the log and in <see cref="CausalLanguageModelTransformer.Options"/>.
        /// </summary>
        public double? LearningRate;

        /// <summary>Most optimizer steps. Default: null, no limit; 0 gives the model as it was initialized.</summary>
        public int? MaximumSteps;

        /// <summary>Most passes over the rows. Default: null; where no limit is set, one pass is made. At least 0, and 0 gives the model as it was initialized.</summary>
        public int? MaximumEpochs;

        /// <summary>Longest training time. Default: null, no limit. At least 0, and 0 gives the model as it was initialized. Training stops at whichever limit comes first.</summary>
        public TimeSpan? MaximumDuration;

        /// <summary>Seed of the weights, the order of rows and dropout. Default: null, drawn from the seed of the <c>MLContext</c>.</summary>
        public int? Seed;

        /// <summary>In which order an epoch visits the rows, such as <c>RowOrder.Ascending("Difficulty")</c>, a curriculum by a column. Default: shuffled.</summary>
        public RowOrder RowOrder = RowOrder.Shuffled;

        /// <summary>
        /// What becomes of a row that is longer than the model's context. Default: null; rows of text or of token ids are split, so that every token is trained on, and prompts with completions and chats are
        /// truncated, with a warning. The trained model scores the beginning of a long row alone, whatever is said here.
        /// </summary>
        public LongRows? LongRows;

        /// <summary>
        /// A folder in which the rows are kept as token ids, so that a later <c>Fit</c> on the same rows with the same tokenizer, context and <see cref="LongRows"/> reads them once, to recognize them, and encodes
        /// none. Any number of trainings may use one folder, which is created if it is missing; files in it can be deleted at any time. A tokenizer of your own class is encoded with every time. Default: null; the
        /// rows are in memory, and in a file of the temporary folder where they take more than 256 MiB. Not saved with the model.
        /// </summary>
        [JsonIgnore]
        public string? TokenCacheFolder;

        /// <summary>The optimizer: its kind and coefficients, weight decay, gradient clipping, and what is updated in a way of its own. Default: AdamW.</summary>
        public OptimizerOptions Optimizer = new AdamWOptions();

        /// <summary>The learning rate's course: warm-up, shape and minimum. Default: half a cosine.</summary>
        public ScheduleOptions Schedule = new();

        /// <summary>What training minimizes.</summary>
        public LossOptions Loss = new();

        /// <summary>Noise in training, and averages of the weights. Default: none.</summary>
        public RegularizationOptions Regularization = new();

        /// <summary>A teacher, whose distribution over tokens is learned beside the targets. Default: null, none.</summary>
        public DistillationOptions? Distillation;

        /// <summary>How a batch is computed: micro-batches, memory, threads and precision.</summary>
        public BatchingOptions Batching = new();

        /// <summary>Rows to measure the loss on during training. Default: null, none. Not saved with the model.</summary>
        [JsonIgnore]
        public ValidationOptions? Validation;

        /// <summary>Where to write checkpoints, from which a later <c>Fit</c> resumes. Default: null, nowhere. Not saved with the model.</summary>
        [JsonIgnore]
        public CheckpointOptions? Checkpoints;

        /// <summary>
        /// The processes that train together, as in <c>RankOptions.Mpi()</c>. Default: null, this process alone. <see cref="BatchSize"/> is that of all of them; the trained model is the same for any number,
        /// and only the first rank logs, reports and writes checkpoints. Not saved with the model.
        /// </summary>
        [JsonIgnore]
        public RankOptions? Ranks;

        /// <summary>The columns that the trained model adds.</summary>
        public OutputOptions Outputs = new();

        /// <summary>Optimizer steps between two lines in <c>MLContext.Log</c>. Default: 50; at least 1.</summary>
        public int ReportInterval = 50;

        /// <summary>
        /// Whether it is measured, before the first step and in about a third of a second, how many floating-point operations matrix multiplication does per second, with the threads that training uses: in float32; on a GPU in the type
        /// that training computes in. It is what <see cref="StepReport.ModelFlopUtilization"/> is a share of. Default: false. Not saved with the model.
        /// </summary>
        [JsonIgnore]
        public bool MeasureMatrixPeak;

        /// <summary>Training stops after this many steps in a row whose loss, gradient or new weights are not finite; none of them is applied. Default: 10; at least 1.</summary>
        public int MaximumNonFiniteSteps = TrainingOptions.DefaultMaximumNonFiniteSteps;

        /// <summary>
        /// Receives the model that training starts from, once, before its first step: a new network as it was initialized, or the published one, with adapters that do not change it yet. Measured here, its metrics
        /// are those before training, and it need not be made or read a second time for them. A training that resumes calls it, too, with the same model. The time that it takes is not training time.
        /// Default: null. The model is only lent: it is the trainer's, which trains it afterwards, and must not be disposed. Not saved with the model.
        /// </summary>
        [JsonIgnore]
        public Action<CausalLanguageModelTransformer>? OnStart;

        /// <summary>Receives a report of every optimizer step. Default: null. Not saved with the model.</summary>
        [JsonIgnore]
        public IProgress<StepReport>? Progress;

        /// <summary>Cancels the training: <c>Fit</c> throws <see cref="OperationCanceledException"/>, and nothing is kept. Default: never. Not saved with the model.</summary>
        [JsonIgnore]
        public CancellationToken CancellationToken;

        /// <summary>
        /// Ends the training in order: the current step is finished, and <c>Fit</c> returns the model trained so far, as if a limit had been reached. An evaluation under way is
        /// given up; while rows are read, <c>Fit</c> returns the model as it was initialized, and neither resumes from a checkpoint nor writes one. Default: never. Not saved with the model.
        /// </summary>
        [JsonIgnore]
        public CancellationToken StopToken;

        /// <summary>What is minimized where rows are preferences; null for the cross entropy of every row.</summary>
        internal virtual PreferenceMethod? Preference => null;

        // The groups never change, so a copy of this object is a copy of all.
        internal Options Copy() => (Options)MemberwiseClone();

        /// <summary>What a trained model remembers: not the data and the callbacks of its training, which would live as long as it does.</summary>
        internal Options CopyForModel()
        {
            var options = Copy();
            (options.Validation, options.Checkpoints, options.OnStart, options.Progress, options.Ranks, options.TokenCacheFolder) = (null, null, null, null, null, null);
            (options.CancellationToken, options.StopToken, options.MeasureMatrixPeak) = (default, default, false);
            options.Loss = Loss with { TokenLoss = null };
            options.Distillation = Distillation?.CopyForModel();
            options.Columns = Columns.ForScoring;
            options.Model = Model is LanguageModel.TrainedModel trained ? trained.Source.Options.Model : Model;
            return options;
        }

        internal TrainingOptions ToTrainingOptions() => new()
        {
            BatchSize = BatchSize,
            BatchTargetTokens = BatchTargetTokens,
            LearningRate = LearningRate ?? TrainingOptions.DefaultLearningRate,
            MaximumSteps = MaximumSteps,
            MaximumEpochs = MaximumEpochs,
            MaximumDuration = MaximumDuration,
            MaximumNonFiniteSteps = MaximumNonFiniteSteps,
            RowOrder = RowOrder,
            Optimizer = Optimizer,
            Schedule = Schedule,
            Loss = Loss,
            Regularization = Regularization,
            Batching = Batching,
        };

        internal virtual void Validate()
        {
            ArgumentNullException.ThrowIfNull(Columns);
            ArgumentNullException.ThrowIfNull(Model);
            ArgumentNullException.ThrowIfNull(Outputs);
            Columns.Validate(nameof(Columns));
            if (Columns.ArePreferences && Preference is null)
                throw new ArgumentOutOfRangeException(nameof(Columns), $"{nameof(Columns)} are preferences, which {nameof(CausalLanguageModelingTrainers.Preference)} trains on; allowed is text, prompts with completions, chats or token ids.");
            Model.Validate(nameof(Model));
            Adapters?.Validate(nameof(Adapters));
            Require.That(
                Adapters is not { BaseType: not null, TrainedModules.Count: > 0 } || Batching.Precision == ComputePrecision.Float32, Adapters?.BasePrecision,
                $"{nameof(BasePrecision.Computation)} with {nameof(LoraOptions.TrainedModules)} and {nameof(Batching)}.{nameof(BatchingOptions.Precision)} {Batching.Precision}", nameof(Adapters), nameof(LoraOptions.BasePrecision));
            ToTrainingOptions().Validate();
            Distillation?.Validate(nameof(Distillation), Loss, nameof(Loss));
            Validation?.Validate(nameof(Validation));
            Checkpoints?.Validate(nameof(Checkpoints));
            Outputs.Validate(nameof(Outputs));
            Require.That(
                Loss.PromptWeight == 0 || Columns is InputColumns.PromptCompletionColumns or InputColumns.ChatColumn, Loss.PromptWeight, "0 where Columns have no prompts", nameof(Loss), nameof(LossOptions.PromptWeight));
            Require.OptionalName(TokenCacheFolder);
            if (LongRows is { } longRows)
                Require.Defined(longRows, option: nameof(LongRows));
            Require.That(ReportInterval >= 1, ReportInterval, "at least 1");
        }
    }
}
