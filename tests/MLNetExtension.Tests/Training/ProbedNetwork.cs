using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training;

/// <summary>A network, the next id by the last one, that does something in every forward pass: one a row, where rows are packed, else one a micro-batch.</summary>
internal sealed class ProbedNetwork : nn.Module<Tensor, Tensor>
{
    private readonly Action<ProbedNetwork, Tensor> _probe;
    private readonly Embedding logits;

    public ProbedNetwork(Action<ProbedNetwork, Tensor> probe, int vocabulary = Ragged.Vocabulary)
        : base(nameof(ProbedNetwork))
    {
        _probe = probe;
        logits = nn.Embedding(vocabulary, vocabulary);
        RegisterComponents();
        using (no_grad())
            logits.weight!.zero_();
    }

    public override Tensor forward(Tensor ids)
    {
        // A single id is how its size is found.
        if (ids.numel() > 1)
            _probe(this, ids);
        return logits.call(ids);
    }
}
