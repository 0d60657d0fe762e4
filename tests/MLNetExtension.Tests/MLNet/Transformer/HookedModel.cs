using Microsoft.ML;
using MLNetExtension.Tests.Training;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Bytes;
using TorchSharp.Modules;
using static MLNetExtension.Tests.MLNet.Tiny;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.MLNet.Transformer;

/// <summary>A model whose forward pass can dispose of the model itself.</summary>
internal sealed class HookedModel : IDisposable
{
    private int _disposeAt = -1, _passes;
    private ProbedNetwork? _network;

    public HookedModel(MLContext mlContext)
    {
        var options = Options(steps: 0);
        options.Model = LanguageModel.Custom("hooked", () => _network = new ProbedNetwork((_, _) => Pass(), vocabulary: 257), contextLength: 64);
        options.Batching = new() { MaximumTokensPerMicroBatch = 24 };
        Model = Train(mlContext, options);
        Weights = [.. _network!.parameters()];
        Generator = mlContext.CausalLanguageModeling.CreateTextGenerator(Model);
    }

    public CausalLanguageModelTransformer Model { get; }

    public PromptedTextGenerator Generator { get; }

    public int Tensors => Weights.Length;

    public bool IsFreed => Weights.All(weight => weight.IsInvalid);

    private Parameter[] Weights { get; }

    public void DisposeAtPass(int pass) => (_disposeAt, _passes) = (pass, 0);

    public void Dispose() => Model.Dispose();

    private void Pass()
    {
        if (++_passes == _disposeAt)
            Model.Dispose();
    }
}

/// <summary>A network that calls a hook when its weights are listed.</summary>
internal sealed class ListedNetwork : nn.Module<Tensor, Tensor>
{
    private readonly Embedding logits;

    public ListedNetwork()
        : base(nameof(ListedNetwork))
    {
        logits = nn.Embedding(257, 257);
        RegisterComponents();
    }

    public Action? Hook { get; set; }

    public override Tensor forward(Tensor ids) => logits.call(ids);

    public override Dictionary<string, Tensor> state_dict(Dictionary<string, Tensor>? destination = null, string? prefix = null)
    {
        Dictionary<string, Tensor> weights = base.state_dict(destination, prefix);
        Hook?.Invoke();
        return weights;
    }
}

/// <summary>A tokenizer that calls a hook when it is asked for its files.</summary>
internal sealed class HookedTokenizer(Action hook) : ILanguageTokenizer
{
    private readonly ByteLevelTokenizer _bytes = new();

    public int VocabularySize => _bytes.VocabularySize;

    public int EndOfTextId => ByteLevelTokenizer.EndOfTextId;

    public int? BeginningOfTextId => null;

    public IReadOnlyList<TokenizerFile> Files
    {
        get
        {
            hook();
            return [new TokenizerFile("tokenizer.json", "{}"u8.ToArray())];
        }
    }

    public IReadOnlyList<int> EncodeText(string text) => _bytes.EncodeText(text);

    public int ByteCount(int id) => _bytes.ByteCount(id);

    public string Decode(IEnumerable<int> ids) => _bytes.Decode(ids);
}
