using MLNetExtension.Benchmarks.Workloads;
using MLNetExtension.Models.Llama;
using MLNetExtension.Safetensors;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Benchmarks.Systems;

/// <summary>
/// A Llama with low-rank adapters as they are usually written in TorchSharp, of single matrices and composite operations that autograd goes back through; it shares no layer with this library's.
/// Modules and parameters have Hugging Face's names. Ids [B,T] int64 to logits [B,T,V]. B rows, T positions, C width, V vocabulary, H heads of queries, G of keys and values, D width of a head.
/// </summary>
internal sealed class PlainLlama : nn.Module<Tensor, Tensor>
{
    // What stands before a module's name in the two files.
    private const string BasePrefix = "model.", AdapterPrefix = "base_model.model.model.", AdapterSuffix = ".weight";

    private readonly Embedding embed_tokens;
    private readonly ModuleList<PlainLlamaBlock> layers;
    private readonly PlainRmsNorm norm;
    private readonly Rotation _rotation;

    private PlainLlama(WorkloadNetwork.LlamaWithAdapters network, Device device)
        : base(nameof(PlainLlama))
    {
        LlamaConfiguration configuration = network.Configuration;
        _rotation = new Rotation(configuration, device);
        embed_tokens = nn.Embedding(configuration.VocabularySize, configuration.Width);
        layers = nn.ModuleList([.. Enumerable.Range(0, configuration.Layers).Select(_ => new PlainLlamaBlock(network, _rotation))]);
        norm = new PlainRmsNorm(configuration);
        RegisterComponents();
        embed_tokens.weight!.requires_grad = false;
    }

    /// <summary>Makes the network of the files that <see cref="WorkloadNetwork.Write"/> has written.</summary>
    /// <param name="network">Its sizes.</param>
    /// <param name="folder">The folder.</param>
    /// <param name="device">Where it computes.</param>
    public static PlainLlama Load(WorkloadNetwork.LlamaWithAdapters network, string folder, Device device)
    {
        PlainLlama model = new(network, device);
        Dictionary<string, Parameter> parameters = model.named_parameters().ToDictionary(pair => pair.name, pair => pair.parameter);
        Fill(Path.Combine(WorkloadNetwork.LlamaWithAdapters.BaseOf(folder), "model.safetensors"), name => name[BasePrefix.Length..]);
        Fill(Path.Combine(WorkloadNetwork.LlamaWithAdapters.AdaptersOf(folder), "adapter_model.safetensors"), name => name[AdapterPrefix.Length..^AdapterSuffix.Length]);
        return parameters.Count == 0 ? model.to(device) : throw new InvalidDataException($"Without weights: {string.Join(", ", parameters.Keys)}.");

        void Fill(string path, Func<string, string> nameOf)
        {
            SafetensorsFile file = SafetensorsFile.Open(path);
            using FileStream stream = file.OpenRead();
            foreach (SafetensorsEntry entry in file.Entries)
            {
                parameters.Remove(nameOf(entry.Name), out Parameter? parameter);
                stream.Position = file.DataStart + entry.Begin;
                TensorBytes.Read(parameter!, entry.Type, stream);
            }
        }
    }

    /// <inheritdoc/>
    public override Tensor forward(Tensor ids)
    {
        Tensor hidden = embed_tokens.call(ids);                                                                   // [B,T,C]
        foreach (PlainLlamaBlock layer in layers)
            hidden = layer.call(hidden);
        return nn.functional.linear(norm.call(hidden), embed_tokens.weight!);                                      // [B,T,V]; the head is tied
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _rotation.Dispose();
        base.Dispose(disposing);
    }
}

/// <summary>x + attention(norm(x)), then x + feed-forward(norm(x)).</summary>
internal sealed class PlainLlamaBlock : nn.Module<Tensor, Tensor>
{
    private readonly PlainRmsNorm input_layernorm, post_attention_layernorm;
    private readonly PlainAttention self_attn;
    private readonly PlainFeedForward mlp;

    public PlainLlamaBlock(WorkloadNetwork.LlamaWithAdapters network, Rotation rotation)
        : base(nameof(PlainLlamaBlock))
    {
        input_layernorm = new PlainRmsNorm(network.Configuration);
        self_attn = new PlainAttention(network, rotation);
        post_attention_layernorm = new PlainRmsNorm(network.Configuration);
        mlp = new PlainFeedForward(network);
        RegisterComponents();
    }

    public override Tensor forward(Tensor input)
    {
        Tensor hidden = input + self_attn.call(input_layernorm.call(input));
        return hidden + mlp.call(post_attention_layernorm.call(hidden));
    }
}

/// <summary>Causal attention with rotary positions, in which G heads of keys and values serve H of queries.</summary>
internal sealed class PlainAttention : nn.Module<Tensor, Tensor>
{
    private readonly LlamaConfiguration _configuration;
    private readonly Rotation _rotation;
    private readonly PlainLoraLinear q_proj, k_proj, v_proj, o_proj;

    public PlainAttention(WorkloadNetwork.LlamaWithAdapters network, Rotation rotation)
        : base(nameof(PlainAttention))
    {
        (_configuration, _rotation) = (network.Configuration, rotation);
        int width = _configuration.Width, queries = _configuration.Heads * _configuration.HeadWidth, keys = _configuration.KeyValueHeads * _configuration.HeadWidth;
        q_proj = new PlainLoraLinear(width, queries, network.Adapters);
        k_proj = new PlainLoraLinear(width, keys, network.Adapters);
        v_proj = new PlainLoraLinear(width, keys, network.Adapters);
        o_proj = new PlainLoraLinear(queries, width, network.Adapters);
        RegisterComponents();
    }

    public override Tensor forward(Tensor input)
    {
        Tensor q = _rotation.Apply(Split(q_proj.call(input), _configuration.Heads));                               // [B,H,T,D]
        Tensor k = _rotation.Apply(Split(k_proj.call(input), _configuration.KeyValueHeads));                       // [B,G,T,D]
        Tensor v = Split(v_proj.call(input), _configuration.KeyValueHeads);                                        // [B,G,T,D]
        long repeats = _configuration.Heads / _configuration.KeyValueHeads;
        Tensor mixed = nn.functional.scaled_dot_product_attention(q, k.repeat_interleave(repeats, 1), v.repeat_interleave(repeats, 1), is_casual: true);
        return o_proj.call(mixed.transpose(1, 2).flatten(2));                                                      // [B,T,C]
    }

    private static Tensor Split(Tensor joined, int heads) => joined.view(joined.shape[0], joined.shape[1], heads, -1).transpose(1, 2);
}

/// <summary>down(silu(gate(x)) * up(x)).</summary>
internal sealed class PlainFeedForward : nn.Module<Tensor, Tensor>
{
    private readonly PlainLoraLinear gate_proj, up_proj, down_proj;

    public PlainFeedForward(WorkloadNetwork.LlamaWithAdapters network)
        : base(nameof(PlainFeedForward))
    {
        int width = network.Configuration.Width, inner = network.Configuration.FeedForwardWidth;
        gate_proj = new PlainLoraLinear(width, inner, network.Adapters);
        up_proj = new PlainLoraLinear(width, inner, network.Adapters);
        down_proj = new PlainLoraLinear(inner, width, network.Adapters);
        RegisterComponents();
    }

    public override Tensor forward(Tensor input) => down_proj.call(nn.functional.silu(gate_proj.call(input)) * up_proj.call(input));
}
