using MLNetExtension.Data;
using MLNetExtension.Models.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Models;

/// <summary>
/// What lies before the first block of a model and after its last, forward and back, for one micro-batch: the embedding, and what the head reads. On the CPU as the model says itself, see <see cref="IBackwardEnds"/>; otherwise by automatic
/// differentiation. B rows, T positions, P positions of all rows, N targets, C width.
/// </summary>
internal abstract class ModelEnds(CausalLanguageModel model, MicroBatch microBatch, Tape tape)
{
    private readonly CausalLanguageModel _model = model;
    private readonly MicroBatch _microBatch = microBatch;
    private readonly Tape _tape = tape;

    /// <summary>Whether a gradient of the embedding, or of what is added to it, is needed.</summary>
    public abstract bool NeedsGradient { get; }

    /// <summary>Finds the way for a micro-batch.</summary>
    /// <param name="model">The model, which has a head of its own.</param>
    /// <param name="microBatch">The micro-batch.</param>
    /// <param name="tape">Keeps what the backward pass needs.</param>
    public static ModelEnds Of(CausalLanguageModel model, MicroBatch microBatch, Tape tape) =>
        model is IBackwardEnds own && model.TokenEmbedding.device_type == DeviceType.CPU && !model.TokenEmbedding.dtype.IsHalf()
            ? new Written(own, model, microBatch, tape)
            : new Tracked(model, microBatch, tape);

    /// <summary>Computes the input of the first block, [B,T,C], without a gradient.</summary>
    /// <param name="change">Is done to the embedded tokens, [B,T,C], before positions are added; null for nothing.</param>
    public abstract Tensor Embed(Action<Tensor>? change = null);

    /// <summary>Adds the gradients of the embedding.</summary>
    /// <param name="gradient">Of the first block's input, [B,T,C]; its memory may be used again.</param>
    public abstract void EmbedBack(Tensor gradient);

    /// <summary>Computes what the head reads, [N,C], without a gradient.</summary>
    /// <param name="hidden">The output of the last block, [B,T,C].</param>
    /// <param name="needsGradient">Whether its gradient will be needed, too.</param>
    /// <returns>[N,C], valid until <see cref="SelectBack"/> returns.</returns>
    public abstract Tensor Select(Tensor hidden, bool needsGradient);

    /// <summary>Adds the gradients of the final norm, and computes that of the last block's output, [B,T,C]; null where it was not needed.</summary>
    /// <param name="gradient">Of what the head reads, [N,C]; its memory may be used again.</param>
    public abstract Tensor? SelectBack(Tensor gradient);

    // The rows of ids that occur: autograd would make a whole [V,C] for every micro-batch.
    private void AddTokenGradient(Tensor gradient)
    {
        if (_tape.GradientOf(_model.TokenEmbedding) is { } sum)
            sum.index_add_(0, _microBatch.Ids.flatten(), gradient.flatten(0, 1).to(sum.dtype), Scalars.One);
    }

    /// <summary>The model's own way.</summary>
    internal sealed class Written(IBackwardEnds own, CausalLanguageModel model, MicroBatch microBatch, Tape tape) : ModelEnds(model, microBatch, tape)
    {
        private Tensor? _hiddenGradient;
        private Tape.TemporaryPart _temporaries;
        private LayerPass? _norm;

        public override bool NeedsGradient => _model.EmbeddingTables.Any(table => _tape.GradientOf(table) is not null);

        public override Tensor Embed(Action<Tensor>? change)
        {
            using var _ = no_grad();
            Tensor ids = _microBatch.Ids, table = _model.TokenEmbedding.detach(), tokens = _tape.Allocate(table, ids.numel(), table.shape[1]);
            Tensor hidden = tokens.view(ids.shape[0], ids.shape[1], -1);
            RowLookup.Gather(tokens, table, ids.flatten());
            change?.Invoke(hidden);
            own.AddPositions(tokens, _tape);
            return hidden;
        }

        public override void EmbedBack(Tensor gradient)
        {
            using var _ = no_grad();
            own.AddPositionsBack(gradient.flatten(0, 1), _tape);
            AddTokenGradient(gradient);
        }

        public override Tensor Select(Tensor hidden, bool needsGradient)
        {
            using var _ = no_grad();
            Tensor states = hidden.flatten(0, 1);
            // Below the rest, which is released before the blocks go back.
            _hiddenGradient = needsGradient ? _tape.AllocateTemporary(states, states.shape[0], states.shape[1]).view(hidden.shape) : null;
            _temporaries = _tape.BeginTemporaries();
            if (_microBatch.TargetCount < states.shape[0])
            {
                Tensor selected = _tape.AllocateTemporary(states, _microBatch.TargetCount, states.shape[1]);
                RowLookup.Gather(selected, states, _microBatch.TargetPositions);
                states = selected;
            }
            _norm = own.FinalNorm.Run(states, _tape);
            return _norm.Output;
        }

        public override Tensor? SelectBack(Tensor gradient)
        {
            using var _ = no_grad();
            using var scope = NewDisposeScope();
            Tensor states = _norm!.Backward(gradient);
            _hiddenGradient?.flatten(0, 1).zero_().index_copy_(0, _microBatch.TargetPositions, states);
            _temporaries.Dispose();
            return _hiddenGradient;
        }
    }

    /// <summary>By automatic differentiation.</summary>
    internal sealed class Tracked(CausalLanguageModel model, MicroBatch microBatch, Tape tape) : ModelEnds(model, microBatch, tape)
    {
        private Tensor? _tokens, _embedded, _leaf, _states;

        public override bool NeedsGradient => _embedded!.requires_grad;

        public override Tensor Embed(Action<Tensor>? change)
        {
            Tensor ids = _microBatch.Ids, table = _model.TokenEmbedding;
            _tokens = table.detach().index_select(0, ids.flatten()).view(ids.shape[0], ids.shape[1], -1);
            change?.Invoke(_tokens);
            _tokens.requires_grad_(_tape.GradientOf(table) is not null);
            _embedded = _model.AddPositions(_tokens, _tape.Layout);
            return _embedded.detach();
        }

        public override void EmbedBack(Tensor gradient)
        {
            _embedded!.backward([gradient]);
            if (_tokens!.requires_grad)
                AddTokenGradient(_tokens.grad!);
        }

        public override Tensor Select(Tensor hidden, bool needsGradient)
        {
            _leaf = hidden.requires_grad_(needsGradient);
            _states = _model.Normalize(_microBatch.SelectTargets(_leaf));
            return _states.detach();
        }

        public override Tensor? SelectBack(Tensor gradient)
        {
            if (_states!.requires_grad)
                _states.backward([gradient]);
            return _leaf!.grad;
        }
    }
}
