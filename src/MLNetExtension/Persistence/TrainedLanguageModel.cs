using Microsoft.ML.Tokenizers;
using MLNetExtension.Checkpoints;
using MLNetExtension.Models;
using MLNetExtension.Tokenization;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Persistence;

/// <summary>A trained network with all that is needed to use it: tokenizer, end-of-text id and configuration. Owns the network.</summary>
internal sealed class TrainedLanguageModel : IDisposable
{
    private const string DescriptionEntry = "model.json";
    private const string WeightsEntry = "weights.safetensors";

    private bool _disposed;

    /// <param name="network">Becomes this object's: it is detached from every dispose scope, and disposed with this object.</param>
    /// <param name="tokenizer">Gives ids below the network's vocabulary size.</param>
    public TrainedLanguageModel(Gpt2 network, ByteLevelTokenizer tokenizer)
    {
        // A caller may train inside a dispose scope of his own; the model outlives it.
        foreach (var tensor in network.parameters().Concat(network.buffers()))
            tensor.DetachFromDisposeScope();
        network.eval();
        (Network, Tokenizer) = (network, tokenizer);
    }

    public Gpt2 Network
    {
        get
        {
            ThrowIfDisposed();
            return field;
        }
    }

    public Tokenizer Tokenizer { get; }

    public int EndOfText => ByteLevelTokenizer.EndOfTextId;

    /// <summary>Writes configuration, tokenizer and weights as entries of their own.</summary>
    public void Save(ArchiveWriter archive)
    {
        archive.WriteJson(DescriptionEntry, new ModelDescription(ModelDescription.Gpt2, Network.Configuration, ModelDescription.ByteLevel));
        archive.Write(WeightsEntry, stream => ModuleWeights.Save(Network, stream));
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    /// <param name="archive">Where to read.</param>
    /// <param name="device">Where the network is to be.</param>
    /// <exception cref="InvalidDataException">An entry is missing or damaged; the message names it.</exception>
    public static TrainedLanguageModel Load(ArchiveReader archive, Device device)
    {
        var description = archive.ReadJson<ModelDescription>(DescriptionEntry);
        description.Check(DescriptionEntry);
        var network = Gpt2.WithoutWeights(description.Configuration);
        try
        {
            archive.Read(WeightsEntry, (stream, length) => ModuleWeights.Load(network, stream, length));
            network.to(device);
            return new TrainedLanguageModel(network, new ByteLevelTokenizer());
        }
        catch
        {
            network.Dispose();
            throw;
        }
    }

    /// <exception cref="ObjectDisposedException">The model has been disposed.</exception>
    public void ThrowIfDisposed()
    {
        if (_disposed)
            throw new ObjectDisposedException("CausalLanguageModelTransformer", "The causal language model has been disposed; a prediction engine disposes the model it was made with.");
    }

    public void Dispose()
    {
        if (_disposed)
            return;
        Network.Dispose();
        _disposed = true;
    }
}
