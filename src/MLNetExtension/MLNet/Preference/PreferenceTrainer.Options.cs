using MLNetExtension.Losses;
using MLNetExtension.Training.Accumulation;
using MLNetExtension.Training.Preference;

namespace MLNetExtension;

public sealed partial class PreferenceTrainer
{
    /// <summary>What the trainer reads, which model it trains and how. Those options that it shares with <see cref="CausalLanguageModelTrainer"/> mean the same, with these differences:</summary>
    /// <remarks>
    /// <list type="bullet">
    /// <item><c>Columns</c>: <see cref="InputColumns.Pairs"/>, the default, or for KTO <see cref="InputColumns.Labelled"/>.</item>
    /// <item><c>Model</c>: has no default; <see cref="LanguageModel.Trained"/> or <see cref="LanguageModel.Pretrained"/>, as a rule one that has been trained on good completions before.</item>
    /// <item><c>BatchSize</c> counts pairs, for KTO rows, and is 8.</item>
    /// <item><c>LearningRate</c>: by default 1e-6, for ORPO 8e-6; for low-rank adapters 1e-5, for ORPO 5e-5: those of the papers, for models of billions of weights. Small models take more.</item>
    /// <item><c>Loss</c>: the router balance alone; <c>LongRows</c>: rows are truncated; <c>Validation</c> measures the method's loss per pair.</item>
    /// </list>
    /// </remarks>
    public sealed class Options : CausalLanguageModelTrainer.Options
    {
        /// <summary>Sets the defaults.</summary>
        public Options() => (Columns, Model) = (InputColumns.Pairs(), null!);

        /// <summary>What is minimized. Default: DPO.</summary>
        public PreferenceMethod Method = PreferenceMethod.Dpo();

        internal override PreferenceMethod Preference => Method;

        internal override void Validate()
        {
            ArgumentNullException.ThrowIfNull(Method);
            if (Model is null)
                throw new ArgumentNullException(nameof(Model), $"{nameof(Model)} is null; expected the model to train, such as {nameof(LanguageModel)}.{nameof(LanguageModel.Trained)}(model) or {nameof(LanguageModel)}.{nameof(LanguageModel.Pretrained)}(folder).");
            base.Validate();
            Method.Validate(nameof(Method));
            RequireColumns();
            const string OnlyCrossEntropy = "its default: preferences have a loss of their own";
            Require.That(Loss.Normalization == LossNormalization.Token, Loss.Normalization, OnlyCrossEntropy);
            Require.That(Loss.TokenLoss is null, Loss.TokenLoss, OnlyCrossEntropy);
            Require.That(Loss.LabelSmoothing == 0, Loss.LabelSmoothing, $"{OnlyCrossEntropy}, and label smoothing is a parameter of {nameof(PreferenceMethod)}.{nameof(PreferenceMethod.Dpo)}");
            Require.That(Loss.Kind == LossKind.CrossEntropy, Loss.Kind.Describe(), OnlyCrossEntropy, nameof(Loss), nameof(Loss.Kind));
            Require.That(Loss.PromptWeight == 0, Loss.PromptWeight, "0: preferences are about completions");
            Require.That(Distillation is null, Distillation, "null: preferences have a loss of their own");
            Require.That(BatchTargetTokens is null, BatchTargetTokens, "null: a batch of preferences is a number of pairs");
            Require.That(RowOrder.Column is null, RowOrder.Column, "Shuffled or AsGiven, where rows are preferences", option: nameof(RowOrder));
            Require.That(Loss.ZLoss == 0, Loss.ZLoss, OnlyCrossEntropy);
            Require.That(LongRows is null or MLNetExtension.Data.LongRows.Truncate, LongRows, "null or Truncate: a piece of a completion cannot be compared");
        }

        private void RequireColumns()
        {
            bool suits = Method.IsPaired ? Columns is InputColumns.PairColumns : Columns is InputColumns.LabelledColumns;
            string expected = Method.IsPaired ? nameof(InputColumns.Pairs) : nameof(InputColumns.Labelled);
            if (!suits)
                throw new ArgumentException($"{nameof(Columns)} do not suit {nameof(Method)}, which is {Method.Name}; expected {nameof(InputColumns)}.{expected}.", nameof(Columns));
            if (Columns is InputColumns.PairColumns { HaveReference: true } && !Method.NeedsReference)
                throw new ArgumentException($"{nameof(Columns)} have a reference, but {nameof(Method)} is {Method.Name}, which has none.", nameof(Columns));
        }
    }
}
