using MLNetExtension.Data;
using MLNetExtension.Evaluation;
using MLNetExtension.Models;
using MLNetExtension.Models.Custom;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Training;
using MLNetExtension.Training.Reports;
using MLNetExtension.Training.Resume;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training;

/// <summary>A training that is cancelled or stopped in the middle of something. Every row is a micro-batch, so a forward pass is one too.</summary>
[TestClass]
public sealed class EarlyEndTests
{
    // Of eight rows of 24 tokens, four are in the first of two micro-batches.
    [TestMethod]
    public void A_step_that_tries_a_split_is_given_up_where_it_is_cancelled_and_finished_where_it_is_stopped()
    {
        TrainingOptions options = new() { MaximumSteps = 200, BatchSize = 8, Batching = new() { Workers = 1, Threads = 1 } };
        Interrupted cancelled = new(cancel: true, atPass: 3, length: 24), stopped = new(cancel: false, atPass: 3, length: 24);

        Assert.IsNull(cancelled.Train(options));
        Assert.AreEqual((4, 0.0), (cancelled.Passes, cancelled.Weights().abs().sum().ToDouble()), "no weight has changed");
        Assert.AreEqual((StopReason.Requested, 1), (stopped.Train(options)!.End, stopped.Passes / 8));
        Assert.AreEqual(128, stopped.Steps.Single().TokensPerMicroBatch, "a trial");
    }

    [TestMethod]
    public void A_step_is_given_up_where_it_is_cancelled_and_finished_where_it_is_stopped()
    {
        TrainingOptions options = new() { MaximumSteps = 200, BatchSize = 8, Batching = new() { MaximumTokensPerMicroBatch = 1, Threads = 1 } };
        Interrupted cancelled = new(cancel: true, atPass: 3), stopped = new(cancel: false, atPass: 3);

        Assert.IsNull(cancelled.Train(options));
        Assert.AreEqual((3, 0.0), (cancelled.Passes, cancelled.Weights().abs().sum().ToDouble()));
        Assert.AreEqual((StopReason.Requested, 1), (stopped.Train(options)!.End, stopped.Passes / 8));
        Assert.AreNotEqual(0, stopped.Weights().abs().sum().ToDouble());
    }

    // The second evaluation is interrupted, so the first, after step 2, is the best. Seen to fail with: the tokens looked at between steps alone, as it was (16 and 24 rows evaluated).
    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void An_evaluation_ends_with_the_micro_batch(bool cancel)
    {
        Interrupted run = new(cancel, atEvaluatedRow: 11) { ValidationInterval = 2 };
        TrainingSummary? summary = run.Train(Options);

        Assert.AreEqual(11, run.EvaluatedRows);
        if (cancel)
        {
            Assert.IsNull(summary);
            return;
        }
        Assert.AreEqual((StopReason.Requested, 4, 2), (summary!.End, summary.Steps, summary.BestStep));
        CollectionAssert.AreEqual(new[] { true, false }, run.Steps.Where(step => step.Step % 2 == 0).Select(step => step.ValidationLoss.HasValue).ToArray());
        Interrupted two = new(cancel: false, atStep: 2);
        two.Train(Options);
        CollectionAssert.AreEqual(two.Weights().bytes.ToArray(), run.Weights().bytes.ToArray(), "the weights are those of the best evaluation");
    }

    // The evaluation that a stop gave up is made when the training resumes, so nothing tells that it was stopped. Seen to fail with: it left out.
    [TestMethod]
    public void A_training_that_was_stopped_in_an_evaluation_resumes_as_if_it_had_not_been()
    {
        using TemporaryFolder folder = new();
        Interrupted whole = new(cancel: false) { ValidationInterval = 2 }, stopped = new(cancel: false, atEvaluatedRow: 11) { ValidationInterval = 2, Folder = folder.Path },
            resumed = new(cancel: false) { ValidationInterval = 2, Folder = folder.Path };
        TrainingSummary expected = whole.Train(Options)!;
        Assert.AreEqual(4, stopped.Train(Options)!.Steps);
        TrainingSummary actual = resumed.Train(Options)!;

        Assert.AreEqual((expected.End, expected.BestStep, expected.ValidationLoss), (actual.End, actual.BestStep, actual.ValidationLoss));
        Assert.AreEqual(expected.Steps - 4, actual.Steps);
        Assert.AreEqual(whole.EvaluatedRows - 8, resumed.EvaluatedRows, "all evaluations but that after step 2");
        CollectionAssert.AreEqual(whole.Weights().bytes.ToArray(), resumed.Weights().bytes.ToArray());
    }

    private static TrainingOptions Options => new() { MaximumSteps = 9, BatchSize = 8, Batching = new() { MaximumTokensPerMicroBatch = 1, Threads = 1 } };

    // A training of eight rows of equal length that requests its own end in a forward pass of training, in one of evaluation, or after a step.
    private sealed class Interrupted
    {
        private readonly CausalLanguageModel _model;
        private readonly CancellationTokenSource _source = new();
        private readonly TokenExample[] _rows;
        private readonly bool _cancel;
        private readonly int _atStep;

        public Interrupted(bool cancel, int atPass = -1, int atEvaluatedRow = -1, int atStep = -1, int length = 12)
        {
            (_cancel, _atStep, _rows) = (cancel, atStep, Ragged.Examples(8, shortest: length, longest: length));
            _model = new CustomLanguageModel(new ProbedNetwork((network, _) =>
            {
                if (network.training ? ++Passes == atPass : ++EvaluatedRows == atEvaluatedRow)
                    _source.Cancel();
            }), contextLength: 24);
        }

        public int Passes { get; private set; }

        public int EvaluatedRows { get; private set; }

        public List<StepReport> Steps { get; } = [];

        public int? ValidationInterval { get; init; }

        public string? Folder { get; init; }

        public Tensor Weights() => _model.parameters().Single().detach();

        // Null where it threw because it was cancelled.
        public TrainingSummary? Train(TrainingOptions options)
        {
            using CheckpointFolder? opened = Folder is null ? null : CheckpointFolder.Open(Folder);
            TrainingRun run = new(_model, _rows, options, Seed: 1)
            {
                OnStep = step =>
                {
                    Steps.Add(step);
                    if (step.Step == _atStep)
                        _source.Cancel();
                },
                Validation = ValidationInterval is { } interval ? new Validation(Evaluate, interval) : null,
                Checkpoints = opened is null ? null : new CheckpointManager(opened, 100, new Dictionary<string, string>()),
                CancellationToken = _cancel ? _source.Token : default,
                StopToken = _cancel ? default : _source.Token,
            };
            if (!_cancel)
                return TrainingLoop.Run(run);
            OperationCanceledException exception = Assert.ThrowsExactly<OperationCanceledException>(() => TrainingLoop.Run(run));
            Assert.AreEqual(_source.Token, exception.CancellationToken);
            return null;
        }

        private (double, double) Evaluate(CancellationToken cancellationToken) =>
            (new RowScorer(_model, maximumTokensPerMicroBatch: 1).Score(_rows, cancellationToken).Sum(score => score.LossSum), _rows.Sum(row => row.TargetCount));
    }
}
