using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Models.Custom;

/// <summary>
/// A plain recurrent network, as a user might write it: h_t = tanh(A dropout(h_(t-1)) + embedding of id t), logits = log softmax(B h_t). Its backward pass reads the logits, so that code that overwrites them is found out.
/// Its weights come from torch's global random numbers.
/// </summary>
internal sealed class Recurrent : nn.Module<Tensor, Tensor>
{
    private readonly Embedding embedding;
    private readonly Linear mixing, head;
    private readonly Dropout dropout;

    public Recurrent(int vocabulary = Ragged.Vocabulary, int width = 7, ScalarType dtype = ScalarType.Float64, double dropout = 0)
        : base(nameof(Recurrent))
    {
        embedding = nn.Embedding(vocabulary, width, dtype: dtype);
        mixing = nn.Linear(width, width, hasBias: false, dtype: dtype);
        head = nn.Linear(width, vocabulary, dtype: dtype);
        this.dropout = nn.Dropout(dropout);
        RegisterComponents();
    }

    /// <summary>Whether the layers are run by <c>forward</c>, which passes hooks by.</summary>
    public bool PassesHooksBy { get; init; }

    public override Tensor forward(Tensor ids)
    {
        Tensor inputs = embedding.call(ids);                                              // [B,T,C]
        Tensor state = zeros_like(inputs.select(1, 0));                                   // [B,C]
        List<Tensor> states = [];
        for (int t = 0; t < ids.shape[1]; t++)
            states.Add(state = (Mix(dropout.call(state)) + inputs.select(1, t)).tanh());
        return head.call(stack(states, 1)).log_softmax(-1);                               // [B,T,V]
    }

    private Tensor Mix(Tensor state) => PassesHooksBy ? mixing.forward(state) : mixing.call(state);
}
