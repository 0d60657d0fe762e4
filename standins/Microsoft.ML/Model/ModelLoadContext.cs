using System.Reflection;
using System.Text;
using Microsoft.ML.Runtime;

namespace Microsoft.ML;

internal delegate void SignatureLoadModel(ModelLoadContext ctx);

/// <summary>Where one model of an archive is loaded from; its header names the loader, the component catalog knows it.</summary>
internal sealed class ModelLoadContext : IDisposable
{
    public const string ModelStreamName = "Model.key";

    public readonly RepositoryReader Repository;
    public readonly string Directory;
    public readonly BinaryReader Reader;
    internal ModelHeader Header;

    internal ModelLoadContext(RepositoryReader rep, Stream stream, string dir)
    {
        Repository = rep;
        Directory = dir;
        Reader = new BinaryReader(stream, Encoding.UTF8);
        Header = ModelHeader.Read(Reader);
    }

    public void CheckAtModel(VersionInfo ver)
    {
        Contracts.Check(Reader.BaseStream.Position == ModelHeader.Size);
        Header.CheckVersionInfo(ver);
    }

    public void CheckVersionInfo(VersionInfo ver) => Header.CheckVersionInfo(ver);

    public string LoadString()
    {
        int id = Reader.ReadInt32();
        Contracts.CheckDecode(0 <= id && id < Header.Strings.Length);
        return Header.Strings[id];
    }

    public bool TryLoadBinaryStream(string name, Action<BinaryReader> action)
    {
        Contracts.CheckNonEmpty(name, nameof(name));
        Contracts.CheckValue(action, nameof(action));
        using Stream stream = Repository.OpenEntryOrNull(Directory, name);
        if (stream == null)
            return false;
        using BinaryReader reader = new(stream, Encoding.UTF8, leaveOpen: true);
        action(reader);
        return true;
    }

    public ITransformer LoadTransformer(IHostEnvironment env, string name)
    {
        string path = Path.Combine(Directory ?? "", name);
        return LoadTransformer(env, Repository, path);
    }

    public static ITransformer LoadTransformer(IHostEnvironment env, RepositoryReader rep, string dir)
    {
        using Stream stream = rep.OpenEntryOrNull(dir, ModelStreamName) ?? throw env.ExceptDecode("Corrupt model file");
        using ModelLoadContext ctx = new(rep, stream, dir);
        if (ctx.Header.LoaderAssemblyName.Length > 0)
            env.ComponentCatalog.RegisterAssembly(Assembly.Load(ctx.Header.LoaderAssemblyName));
        foreach (string signature in new[] { ctx.Header.LoaderSignature, ctx.Header.LoaderSignatureAlt })
        {
            if (env.ComponentCatalog.CreateInstanceOrNull(env, typeof(SignatureLoadModel), signature, ctx) is ITransformer loaded)
            {
                ctx.Header.EndRead(ctx.Reader, 0);
                return loaded;
            }
        }
        throw env.ExceptDecode($"Couldn't load model: '{dir}'");
    }

    public void Dispose() => Reader.Dispose();
}
