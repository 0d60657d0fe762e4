using MLNetExtension.Data;
using MLNetExtension.Losses;
using MLNetExtension.Models;
using MLNetExtension.Models.Layers;
using static TorchSharp.torch;

namespace MLNetExtension.Training.Accumulation;

/// <summary>
/// Forward and backward pass of one micro-batch. The head works on detached hidden states at the targets alone; their gradient then goes back through the
/// blocks, one by one, each of which frees what it kept, or is computed a second time where activations are recomputed. Routers add their balance loss on the way.
/// B rows, T positions, N targets, C width, V vocabulary.
/// </summary>
internal sealed class MicroBatchGradient : IDisposable
{
    private static readonly LinearCrossEntropy LogProbabilities = new();

    private readonly CausalLanguageModel _model;
    private readonly FlatParameters _parameters;
    private readonly GradientSettings _settings;
    private readonly RouterBalance _balance;
    private readonly ActivationMemory _memory = new();
    private readonly int _firstTrained;    // of the blocks; those before it need no backward pass unless the embedding does

    /// <summary>Looks at what is trained.</summary>
    /// <param name="model">The model.</param>
    /// <param name="parameters">Its trained parameters.</param>
    /// <param name="settings">How the gradient is computed.</param>
    /// <param name="balance">The routers' balance loss.</param>
    public MicroBatchGradient(CausalLanguageModel model, FlatParameters parameters, GradientSettings settings, RouterBalance balance)
    {
        (_model, _parameters, _settings, _balance) = (model, parameters, settings, balance);
        _firstTrained = model.Blocks.TakeWhile(block => !block.parameters().Any(parameter => parameter.requires_grad)).Count();
    }

    /// <summary>Adds the scaled gradient of a micro-batch's summed loss to <see cref="FlatParameters.Gradients"/>.</summary>
    /// <param name="microBatch">At least one target.</param>
    /// <param name="scale">What the gradient is multiplied by.</param>
    /// <param name="seeds">Of dropout in this micro-batch, and of noise.</param>
    /// <returns>The unscaled sums: of the targets' loss, and of the routers' balance loss, null where there is none.</returns>
    public (LossSum Loss, Tensor? Auxiliary) Backward(MicroBatch microBatch, double scale, RandomSeeds seeds)
    {
        _memory.Reset();
        using Tape tape = new(SequenceLayout.Of(microBatch), _memory, _parameters.FindGradient);
        // First, so that what it computes on the way is freed before the model keeps what its backward pass needs.
        Pass pass = new(microBatch, tape, scale, seeds) { Teacher = RunTeacher(microBatch, tape.Layout) };
        // A model without a head of its own gives logits, which go straight into the loss.
        if (_model.HeadWeight is null)
        {
            Tensor states = SelectStates(microBatch, RunWhole(pass)), detached = states.detach(), statesGradient = zeros_like(detached);
            LossSum loss = RunLoss(pass, detached, statesGradient);
            states.backward([statesGradient]);
            return (loss, null);
        }
        return BackwardParts(pass);
    }

    /// <summary>Runs the body without a gradient and counts what its routers decide.</summary>
    /// <param name="microBatch">The micro-batch.</param>
    /// <param name="seeds">Those of the backward pass that follows.</param>
    public void CountRouting(MicroBatch microBatch, RandomSeeds seeds)
    {
        using var _ = no_grad();
        using Tape tape = new(SequenceLayout.Of(microBatch), _memory, _parameters.FindGradient, keeps: false);
        using Tape.TemporaryPart temporaries = tape.BeginTemporaries();
        Pass pass = new(microBatch, tape, 1, seeds);
        RunBlocks(ModelEnds.Of(_model, microBatch, tape), pass);
        _balance.Count(_model.Blocks, microBatch);
    }

    /// <summary>Computes the log-probability of each target without a gradient, by the same function as <see cref="Backward"/>: with the same dropout.</summary>
    /// <param name="microBatch">At least one target.</param>
    /// <param name="seeds">Those of the backward pass that follows.</param>
    /// <returns>In nats, [N] in the order of the targets.</returns>
    public double[] ComputeLogProbabilities(MicroBatch microBatch, RandomSeeds seeds)
    {
        using var _ = no_grad();
        using Tape tape = new(SequenceLayout.Of(microBatch), _memory, _parameters.FindGradient, keeps: false);
        using Tape.TemporaryPart temporaries = tape.BeginTemporaries();
        Pass pass = new(microBatch, tape, 1, seeds);
        Tensor states = _model.HeadWeight is null ? SelectStates(microBatch, RunWhole(pass)) : RunBody(pass);             // [N,C]
        return LogProbabilities.PerToken(TargetsOf(microBatch, states), correct: null).neg_().to(float64).cpu().data<double>().ToArray();
    }

    /// <summary>Frees the memory of activations.</summary>
    public void Dispose() => _memory.Dispose();

    private (LossSum, Tensor?) BackwardParts(Pass pass)
    {
        ModelEnds ends = ModelEnds.Of(_model, pass.MicroBatch, pass.Tape);
        Tensor hidden = Embed(ends, pass);
        int first = ends.NeedsGradient ? 0 : _firstTrained, count = _model.Blocks.Count;
        Pass untracked = pass with { Tape = pass.Tape.CreateEmpty(keeps: false) };
        Tensor?[] auxiliary = new Tensor?[count];
        for (int i = 0; i < count; i++)
        {
            bool tracked = i >= first && !_settings.Recompute;
            if (i >= first && _settings.Recompute)
                pass.Tape.KeepCopy(hidden);
            hidden = Replace(hidden, RunBlock(i, hidden, tracked ? pass : untracked));
            auxiliary[i] = tracked ? BalanceOf(i, pass) : null;
        }

        (LossSum sum, Tensor? gradient) = RunHead(pass, ends, hidden, needsGradient: first < count);
        for (int i = count - 1; i >= first; i--)
            gradient = Replace(gradient!, BackwardBlock(i, gradient!, pass, ref auxiliary[i]));
        if (ends.NeedsGradient)
            ends.EmbedBack(gradient!);
        return (sum, auxiliary.Aggregate((Tensor?)null, Add));
    }

    // Gives the gradient of the block's input; of the block's balance loss only the value remains.
    private Tensor BackwardBlock(int i, Tensor gradient, Pass pass, ref Tensor? auxiliary)
    {
        using var scope = NewDisposeScope();
        using Tape again = pass.Tape.CreateEmpty(keeps: true);
        Tape tape = pass.Tape;
        if (_settings.Recompute)
        {
            using Tensor input = tape.Take();
            RunBlock(i, input, pass with { Tape = tape = again });
            auxiliary = BalanceOf(i, pass);
        }
        Tensor inputGradient = _model.Blocks[i].Backward(gradient, tape, auxiliary?.mul(Scalars.Of(pass.Scale)));
        auxiliary = auxiliary?.detach().MoveToOuterDisposeScope();
        return inputGradient.MoveToOuterDisposeScope();
    }

    private Tensor? BalanceOf(int i, Pass pass) => _balance.ComputeSum(i, _model.Blocks[i].Routing, pass.MicroBatch);

    // Loss, and the gradient by the last block's output; those of the head's weight and of the final norm have been added.
    private (LossSum Loss, Tensor? Gradient) RunHead(Pass pass, ModelEnds ends, Tensor hidden, bool needsGradient)
    {
        Tensor states = ends.Select(hidden, needsGradient);                                                               // [N,C]
        Tensor gradient = pass.Tape.AllocateTemporary(states, states.shape[0], states.shape[1]).zero_();
        LossSum sum = RunLoss(pass, states, gradient);
        return (sum, ends.SelectBack(gradient));
    }

    private LossSum RunLoss(Pass pass, Tensor states, Tensor gradient)
    {
        Tensor? headGradient = _model.HeadWeight is { } head ? _parameters.FindGradient(head) : null;
        return _settings.Loss.Backward(TargetsOf(pass.MicroBatch, states) with { Teacher = pass.Teacher }, new TokenGradients(gradient, headGradient, pass.Scale));
    }

    // The same rows in the same layout, without a gradient; of all positions only those of the targets are kept.
    private TeacherStates? RunTeacher(MicroBatch microBatch, SequenceLayout layout)
    {
        if (_settings.Teacher is not { } teacher)
            return null;
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        Tensor hidden = teacher.HeadWeight is null ? layout.ApplyPerRow(microBatch.Ids, teacher.ComputeHidden) : teacher.ComputeHidden(microBatch.Ids, layout);
        return new TeacherStates(microBatch.SelectTargets(hidden).MoveToOuterDisposeScope(), teacher.HeadWeight, teacher.LogitCap);
    }

    // What the head reads, [N,C].
    private Tensor SelectStates(MicroBatch microBatch, Tensor hidden) => _model.Normalize(microBatch.SelectTargets(hidden));

    private TokenTargets TargetsOf(MicroBatch microBatch, Tensor states) =>
        new(states, _model.HeadWeight, microBatch.Targets, microBatch.TargetWeights, microBatch.TargetWeight) { LogitCap = _model.LogitCap, Memory = _memory.Temporaries };

    // [B,T,V], of a model without a head of its own.
    private Tensor RunWhole(Pass pass)
    {
        _model.ReseedDropout(pass.Seeds.MicroBatch);
        return pass.Tape.Layout.ApplyPerRow(pass.MicroBatch.Ids, _model.ComputeHidden);
    }

    // [N,C], what the head reads, for a pass without a gradient.
    private Tensor RunBody(Pass pass)
    {
        ModelEnds ends = ModelEnds.Of(_model, pass.MicroBatch, pass.Tape);
        return ends.Select(RunBlocks(ends, pass), needsGradient: false);
    }

    // [B,T,C], for a pass without a gradient.
    private Tensor RunBlocks(ModelEnds ends, Pass pass)
    {
        Tensor hidden = Embed(ends, pass);
        for (int i = 0; i < _model.Blocks.Count; i++)
            hidden = RunBlock(i, hidden, pass);
        return hidden;
    }

    // [B,T,C]. Noise is of fixed size whatever the weights: its gradient is that of the tokens.
    private Tensor Embed(ModelEnds ends, Pass pass)
    {
        _model.ReseedDropout(pass.Seeds.MicroBatch);
        return ends.Embed(_settings.EmbeddingNoise == 0 ? null : tokens => EmbeddingNoise.Add(tokens, pass.MicroBatch, _settings.EmbeddingNoise, pass.Seeds.Step));
    }

    private Tensor RunBlock(int i, Tensor input, Pass pass)
    {
        _model.Blocks[i].ReseedDropout(unchecked(pass.Seeds.MicroBatch + (i + 1) * 0x5851F42D4C957F2D));
        return _model.Blocks[i].Forward(input, pass.Tape);
    }

    private static Tensor? Add(Tensor? sum, Tensor? next) => sum is null ? next : next is null ? sum : sum.Plus(next);

    private static Tensor Replace(Tensor previous, Tensor next)
    {
        previous.Dispose();
        return next;
    }

    private sealed record Pass(MicroBatch MicroBatch, Tape Tape, double Scale, RandomSeeds Seeds)
    {
        public TeacherStates? Teacher { get; init; }
    }
}
