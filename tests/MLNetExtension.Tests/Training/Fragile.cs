using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training;

/// <summary>A network, the next id by the last one, that gives NaN once one of its weights has passed a limit.</summary>
internal sealed class Fragile : nn.Module<Tensor, Tensor>
{
    private readonly double _limit;
    private readonly Embedding logits;

    public Fragile(double limit, int vocabulary = Ragged.Vocabulary)
        : base(nameof(Fragile))
    {
        _limit = limit;
        logits = nn.Embedding(vocabulary, vocabulary);
        RegisterComponents();
        using (no_grad())
            logits.weight!.zero_();
    }

    // The logarithm of a negative number is not one.
    public override Tensor forward(Tensor ids) => logits.call(ids) + (_limit - logits.weight!.detach().abs().max()).log() * 0;
}
