using System.Text.Json.Nodes;
using MLNetExtension.Safetensors;
using MLNetExtension.Tests.Repository;
using MLNetExtension.Tests.Samples;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Formats.HuggingFace;

/// <summary>A copy of one of the golden models, to be altered.</summary>
internal sealed class CheckpointCopy : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public CheckpointCopy(string name)
    {
        foreach (string file in Directory.EnumerateFiles(System.IO.Path.Combine(SourceTree.Root, "tests/MLNetExtension.Tests/Models/Golden", name)))
            File.Copy(file, System.IO.Path.Combine(Path, System.IO.Path.GetFileName(file)));
        File.Delete(this["golden.safetensors"]);
    }

    public string Path => _folder.Path;

    public string this[string file] => System.IO.Path.Combine(Path, file);

    public void Set(string key, string? json, string file = "config.json")
    {
        JsonObject root = JsonNode.Parse(File.ReadAllText(this[file]))!.AsObject();
        if (json is null)
            root.Remove(key);
        else
            root[key] = JsonNode.Parse(json);
        File.WriteAllText(this[file], root.ToJsonString());
    }

    /// <summary>Reads the tensors of all weight files, as they are stored.</summary>
    public static Dictionary<string, Tensor> Tensors(string folder)
    {
        Dictionary<string, Tensor> tensors = [];
        foreach (SafetensorsFile file in SafetensorsFolder.Open(folder))
        {
            using FileStream stream = file.OpenRead();
            foreach (SafetensorsEntry entry in file.Entries)
            {
                stream.Position = file.DataStart + entry.Begin;
                tensors[entry.Name] = empty(entry.Shape, dtype: entry.Type);
                TensorBytes.Read(tensors[entry.Name], entry.Type, stream);
            }
        }
        return tensors;
    }

    /// <summary>Writes other tensors instead of the model's single file.</summary>
    public void Write(IReadOnlyDictionary<string, Tensor> tensors, string file = "model.safetensors")
    {
        using FileStream stream = File.Create(this[file]);
        SafetensorsWriter.Write([.. tensors.Select(pair => (pair.Key, pair.Value))], stream);
    }

    public void Dispose() => _folder.Dispose();
}
