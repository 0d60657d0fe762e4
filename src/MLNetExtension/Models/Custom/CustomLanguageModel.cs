using MLNetExtension.Data;
using MLNetExtension.Models.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Custom;

/// <summary>Wraps a module that maps ids to logits as a language model without separate parts, and owns it. B rows, T positions, V vocabulary.</summary>
/// <remarks>A module that draws from torch's global random numbers in training, as <c>nn.Dropout</c> does, draws from a seed, which depends on the step and the micro-batch alone,
/// and one forward pass at a time in the process. Whether it draws is found in its first pass in training; on a GPU it is taken for granted.</remarks>
internal sealed class CustomLanguageModel : CausalLanguageModel
{
    private const string Parts = "This model wraps a module: it gives logits and has no parts.";

    private readonly nn.Module<Tensor, Tensor> module;
    private readonly AdapterDropout _adapterDropout;
    private ulong _seed;
    private bool _mayDraw = true;

    public CustomLanguageModel(nn.Module<Tensor, Tensor> module, int contextLength)
        : base(nameof(CustomLanguageModel))
    {
        this.module = module;
        ContextLength = contextLength;
        VocabularySize = FindVocabularySize(module);
        RegisterComponents();
        _adapterDropout = new AdapterDropout(this);
    }

    public override int VocabularySize { get; }

    public override int ContextLength { get; }

    public override Tensor? HeadWeight => null;

    public override IReadOnlyList<TransformerBlock> Blocks => [];

    public override Tensor TokenEmbedding => throw new NotSupportedException(Parts);

    public override Tensor AddPositions(Tensor tokens, SequenceLayout layout) => throw new NotSupportedException(Parts);

    /// <summary>Returns the logits unchanged.</summary>
    public override Tensor Normalize(Tensor hidden) => hidden;

    /// <summary>Restarts the random numbers of the module and of its adapters.</summary>
    public override void ReseedDropout(long seed)
    {
        _seed = SplitMix64.Mix((ulong)seed);
        _adapterDropout.Reseed(seed);
    }

    internal override Tensor ComputeHidden(Tensor ids)
    {
        if (!training || !_mayDraw)
            return module.call(ids);
        // Packed rows are computed one after another, each from another seed.
        Tensor logits = GlobalRandom.Run(unchecked((long)_seed++), () => module.call(ids), out bool drew);
        _mayDraw = drew || ids.device_type != DeviceType.CPU;
        return logits;
    }

    // Runs the module on one position.
    private static int FindVocabularySize(nn.Module<Tensor, Tensor> module)
    {
        Device device = module.parameters().FirstOrDefault()?.device
            ?? throw new InvalidOperationException($"The module {module.GetName()} has no parameters: there is nothing to train.");
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        bool training = module.training;
        module.eval();
        Tensor logits = module.call(zeros(1, 1, dtype: int64, device: device));
        module.train(training);
        return logits.shape is [1, 1, > 0] && logits.is_floating_point() ? checked((int)logits.shape[2])
            : throw new InvalidOperationException(
                $"The module {module.GetName()} returns {logits.dtype} [{string.Join(", ", logits.shape)}] for ids [1, 1], expected floating-point logits [1, 1, V].");
    }
}
