using System.Text.Json;
using Kimi.CommandLine;
using Kimi.Terminal;
using KimiLinear.Backends;
using KimiLinear.Model;

namespace Kimi.Inspection;

/// <summary>Writes what this machine can compute on.</summary>
internal static class DeviceReport
{
    public static void Write(CommandTerminal terminal, bool asJson)
    {
        IReadOnlyList<ComputeDeviceStatus> devices = ComputeDevices.Survey();
        if (asJson)
        {
            var facts = devices.Select(status => new
            {
                Device = status.Device.ToString(),
                status.IsAvailable,
                status.Detail,
            });
            terminal.Output.WriteLine(JsonSerializer.Serialize(facts, JsonText.Indented));
            return;
        }

        foreach (ComputeDeviceStatus status in devices)
        {
            string mark = status.IsAvailable ? "yes" : "no";
            terminal.Output.WriteLine($"{status.Device,-14}{mark,-5}{status.Detail}");
        }
    }
}
