using System.Text.Json.Nodes;
using System.Text.Json;
using MLNetExtension.Files;
using MLNetExtension.Models;
using MLNetExtension.Safetensors;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Formats.HuggingFace;

/// <summary>Writes a model's weights under Hugging Face's names, in one file or in several under an index.</summary>
internal static class HuggingFaceWeightsWriter
{
    /// <summary>Writes the weights.</summary>
    /// <param name="model">The model; its weights may be on any device.</param>
    /// <param name="folder">Where to write.</param>
    /// <param name="maximumFileBytes">Most bytes of weights in a file.</param>
    public static void Write(CausalLanguageModel model, StagedFiles folder, long maximumFileBytes)
    {
        using var scope = NewDisposeScope();
        List<List<(string Name, Tensor Tensor)>> files = Split(Tensors(model), maximumFileBytes);
        if (files is [var only])
        {
            folder.Write(SafetensorsFolder.SingleName, stream => SafetensorsWriter.Write(only, stream));
            return;
        }

        JsonObject fileOf = [];
        for (int i = 0; i < files.Count; i++)
        {
            string name = $"model-{i + 1:00000}-of-{files.Count:00000}.safetensors";
            folder.Write(name, stream => SafetensorsWriter.Write(files[i], stream));
            foreach ((string tensor, _) in files[i])
                fileOf[tensor] = name;
        }
        JsonObject index = new() { ["metadata"] = new JsonObject { ["total_size"] = files.Sum(file => file.Sum(pair => BytesOf(pair.Tensor))) }, ["weight_map"] = fileOf };
        folder.Write(SafetensorsFolder.IndexName, stream => JsonSerializer.Serialize(stream, index));
    }

    private static IEnumerable<(string, Tensor)> Tensors(CausalLanguageModel model)
    {
        IArchitecture architecture = HuggingFaceConfiguration.FindArchitecture(model);
        Dictionary<string, Parameter> parameters = model.named_parameters().ToDictionary(pair => pair.name, pair => pair.parameter);
        return architecture.Tensors.Select(tensor => (tensor.HasPrefix ? architecture.Prefixes[0] + tensor.Name : tensor.Name, tensor.CreateView(parameters)));
    }

    private static List<List<(string Name, Tensor Tensor)>> Split(IEnumerable<(string Name, Tensor Tensor)> tensors, long maximumFileBytes)
    {
        List<List<(string, Tensor)>> files = [[]];
        long bytes = 0;
        foreach ((string name, Tensor tensor) in tensors)
        {
            if (files[^1].Count > 0 && bytes + BytesOf(tensor) > maximumFileBytes)
            {
                files.Add([]);
                bytes = 0;
            }
            files[^1].Add((name, tensor));
            bytes += BytesOf(tensor);
        }
        return files;
    }

    private static long BytesOf(Tensor tensor) => tensor.NumberOfElements * SafetensorsTypes.BytesOf(tensor.dtype);
}
