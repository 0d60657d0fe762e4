using static TorchSharp.torch;

namespace MLNetExtension.Models.Custom;

/// <summary>Wraps a module that maps ids to logits as a language model without separate parts. B rows, T positions, V vocabulary.</summary>
internal sealed class CustomLanguageModel : CausalLanguageModel
{
    private const string Parts = "This model wraps a module: it gives logits and has no parts.";

    private readonly nn.Module<Tensor, Tensor> module;

    public CustomLanguageModel(nn.Module<Tensor, Tensor> module, int contextLength)
        : base(nameof(CustomLanguageModel))
    {
        ArgumentNullException.ThrowIfNull(module);
        ArgumentOutOfRangeException.ThrowIfLessThan(contextLength, 1);
        this.module = module;
        ContextLength = contextLength;
        VocabularySize = FindVocabularySize(module);
        RegisterComponents();
    }

    public override int VocabularySize { get; }

    public override int ContextLength { get; }

    public override Tensor? HeadWeight => null;

    public override IReadOnlyList<TransformerBlock> Blocks => [];

    public override Tensor TokenEmbedding => throw new NotSupportedException(Parts);

    public override Tensor AddPositions(Tensor tokens, SequenceLayout layout) => throw new NotSupportedException(Parts);

    /// <summary>Returns the logits unchanged.</summary>
    public override Tensor Normalize(Tensor hidden) => hidden;

    public override void ReseedEmbeddingDropout(long seed)
    {
        // The module's random numbers are not known here.
    }

    public override Tensor ComputeHidden(Tensor ids) => module.call(ids);

    // Runs the module on one position.
    private static int FindVocabularySize(nn.Module<Tensor, Tensor> module)
    {
        Device device = module.parameters().FirstOrDefault()?.device
            ?? throw new ArgumentException($"The module {module.GetName()} has no parameters: there is nothing to train.", nameof(module));
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        bool training = module.training;
        module.eval();
        Tensor logits = module.call(zeros(1, 1, dtype: int64, device: device));
        module.train(training);
        return logits.shape is [1, 1, > 0] && logits.is_floating_point() ? checked((int)logits.shape[2])
            : throw new ArgumentException(
                $"The module {module.GetName()} gives {logits.dtype} [{string.Join(", ", logits.shape)}] for ids [1, 1], expected floating-point logits [1, 1, V].", nameof(module));
    }
}
