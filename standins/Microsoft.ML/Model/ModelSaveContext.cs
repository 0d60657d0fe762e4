using System.Text;
using Microsoft.ML.Runtime;

namespace Microsoft.ML;

/// <summary>Where one model of an archive is saved: its own stream, further streams beside it, models within it.</summary>
public sealed class ModelSaveContext : IDisposable
{
    internal readonly RepositoryWriter Repository;
    internal readonly string Directory;
    internal readonly BinaryWriter Writer;

    private ModelSaveContext(RepositoryWriter rep, string dir)
    {
        Repository = rep;
        Directory = dir;
        Writer = new BinaryWriter(rep.CreateEntry(dir, ModelLoadContext.ModelStreamName), Encoding.UTF8, leaveOpen: true);
    }

    internal void SetVersionInfo(VersionInfo ver)
    {
        Contracts.Check(Writer.BaseStream.Position == 0);
        ver.Write(Writer);
    }

    internal void SaveBinaryStream(string name, Action<BinaryWriter> action)
    {
        Contracts.CheckNonEmpty(name, nameof(name));
        Contracts.CheckValue(action, nameof(action));
        using BinaryWriter writer = new(Repository.CreateEntry(Directory, name), Encoding.UTF8, leaveOpen: true);
        action(writer);
    }

    internal void SaveModel(ICanSaveModel value, string name) => SaveModel(Repository, value, Path.Combine(Directory, name));

    internal static void SaveModel(RepositoryWriter rep, ICanSaveModel value, string path)
    {
        if (value == null)
            return;
        using ModelSaveContext ctx = new(rep, path);
        value.Save(ctx);
        Contracts.Check(ctx.Writer.BaseStream.Position > 0, "ModelSignature not specified!");
    }

    public void Dispose() => Writer.Dispose();
}
