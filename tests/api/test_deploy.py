"""The files of deploy/, as far as they can be checked without what they are for: packages are those that the program is
built with, variables are options that there are, and what one file names another has."""

import os
import pathlib
import re
import shutil
import subprocess
import unittest

from peel_testing import MODE, ROOT, main

try:
    import yaml
except ImportError:
    yaml = None

DEPLOY = ROOT / "deploy"
OPTIONS = set(re.findall(r"[A-Za-z_]*_[A-Za-z_0-9]+", (ROOT / "docs" / "OPTIONS.md").read_text()))
FOREIGN = {"PGPASSFILE", "PGPASSWORD", "PGSSLROOTCERT"}  # libpq's own


def read(name):
    return (DEPLOY / name).read_text()


def kubernetes():
    """{(kind, name): object}"""
    found = {}
    for name in yaml.safe_load(read("kubernetes/kustomization.yaml"))["resources"]:
        for one in yaml.safe_load_all(read(f"kubernetes/{name}")):
            found[one["kind"], one["metadata"]["name"]] = one
    return found


@unittest.skipIf(MODE != "release", "deploy's files: in release only")
class Deploy(unittest.TestCase):
    def assert_options(self, names, where):
        for name in names:
            known = name in OPTIONS | FOREIGN or name.removesuffix("_FILE") in OPTIONS
            self.assertTrue(known, f"{where}: there is no {name}")

    def test_dockerfile(self):
        text = re.sub(r"\\\n", " ", read("Dockerfile"))
        _, build, final = text.split("\nFROM ")
        deps = re.search(r'BUILD_PACKAGES="([^"]*)"', (ROOT / "scripts" / "deps.sh").read_text())[1].split()
        installed = re.search(r"--no-install-recommends([^&\n]*)", build)[1].split()
        self.assertEqual(sorted(installed), sorted(deps), "other packages than scripts/deps.sh")
        self.assertRegex(final, r"\nUSER 10001:10001\n")
        self.assertIn("HEALTHCHECK", final)
        variables = re.search(r"\nENV (.*)", final)[1]
        self.assert_options([word.split("=")[0] for word in variables.split()], "Dockerfile")
        if shutil.which("ldd") and shutil.which("dpkg-query"):
            self.check_libraries(re.search(r"--no-install-recommends([^&\n]*)", final)[1].split())

    def check_libraries(self, named):
        """Each library that the program itself asks for is in a package that the image installs."""
        needed = subprocess.run(["objdump", "-p", os.environ.get("PEEL", ROOT / "peel")], capture_output=True, text=True).stdout
        paths = subprocess.run(["ldd", os.environ.get("PEEL", ROOT / "peel")], capture_output=True, text=True).stdout
        for name in re.findall(r"NEEDED +(\S+)", needed):
            path = re.search(rf"{re.escape(name)} => (\S+)", paths)
            owner = subprocess.run(["dpkg-query", "-S", pathlib.Path(path[1]).resolve()], capture_output=True, text=True).stdout if path else ""
            package = owner.split(":")[0]
            if package and package not in ("libc6", "libgcc-s1", "libglib2.0-0", "libcairo2"):  # come with others
                self.assertIn(package, named, f"the image lacks {name}")

    def test_systemd(self):
        for unit in sorted((DEPLOY / "systemd").glob("*.service")):
            text = unit.read_text()
            variables = re.findall(r"(\w+)=", " ".join(re.findall(r"^Environment=(.*)$", text, re.M)))
            self.assert_options(variables, unit.name)
            command = re.search(r"^ExecStart=/usr/local/bin/peel (\S+)", text, re.M)[1]
            self.assertIn(f"`peel {command}`", (ROOT / "docs" / "OPTIONS.md").read_text())
            if shutil.which("systemd-analyze"):
                done = subprocess.run(["systemd-analyze", "security", "--offline=true", unit], capture_output=True, text=True)
                if exposure := re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout):
                    self.assertLess(float(exposure[1]), 2, unit.name)

    def test_the_user_of_units_and_package(self):
        """Who owns what, once for sources and package: sysusers.d and tmpfiles.d name what units and settings need."""
        users = re.findall(r"^u (\S+)", read("systemd/sysusers.d/peel.conf"), re.M)
        folders = dict(re.findall(r"^d (\S+) +\S+ (\S+)", read("systemd/tmpfiles.d/peel.conf"), re.M))
        for unit in ("peel-search", "peel-sticker"):
            text = read(f"systemd/{unit}.service")
            self.assertIn(re.search(r"^User=(.*)$", text, re.M)[1], users)
            self.assertEqual(folders[re.search(r"PEEL_DATA=(\S+)", text)[1]], "peel")
            settings = re.search(r"^EnvironmentFile=-(/etc/peel/(\S+))$", text, re.M)
            self.assertEqual(folders["/etc/peel"], "root")
            self.assertIn(f"debian/{settings[2]} etc/peel\n", read("debian/peel.install"))
            self.assert_options(re.findall(r"^#?([A-Z]\w+)=", read(f"debian/{settings[2]}"), re.M), settings[2])
        wanted = set(re.search(r'BUILD_PACKAGES="([^"]*)"', (ROOT / "scripts" / "deps.sh").read_text())[1].split())
        named = re.search(r"Build-Depends: (.*?)\n\n", read("debian/control"), re.S)[1].replace("\n", "").split(",")
        named = {name.strip() for name in named if not re.search("debhelper|dh-sequence", name)}
        self.assertEqual(named, wanted - {"gcc", "libc6-dev", "make"}, "debian/control: other packages than scripts/deps.sh")

    def test_nothing_secret_goes_over_a_network_in_the_clear(self):
        """Gateways send HSTS; databases and buckets that may be elsewhere are asked with TLS, and their names are checked."""
        for name in ("nginx/gateway.conf", "haproxy/gateway.cfg"):
            self.assertRegex(read(name), r"Strict-Transport-Security \"?max-age=\d{7,}")
        for name in ("kubernetes/settings.yaml", "debian/sticker.env", "debian/search.env"):
            text = read(name)
            modes = re.findall(r"SSLMODE: (\S+)|sslmode=([a-z-]+)", text)
            self.assertTrue(modes, name)
            self.assertEqual({a or b for a, b in modes}, {"verify-full"}, name)
            self.assertNotRegex(text, r"AWS_ENDPOINT_URL\W+http:")
        named = set(re.findall(r"^  (\w[\w-]*):$", read("compose.yml"), re.M))
        for host in re.findall(r"AWS_ENDPOINT_URL: http://([\w-]+)", read("compose.yml")):
            self.assertIn(host, named, "plain http to another machine")

    @unittest.skipIf(yaml is None, "YAML files: python3-yaml is not installed")
    def test_compose(self):
        compose = yaml.safe_load(read("compose.yml"))
        services = compose["services"]
        addresses = {name: s["networks"]["peel"]["ipv4_address"] for name, s in services.items()}
        self.assertEqual(len(set(addresses.values())), len(addresses))
        for conf in ("gateway.conf", "internal.conf"):
            servers = set(re.findall(r"server (10\.0\.0\.\d+):", read(f"nginx/{conf}")))
            self.assertLessEqual(servers, set(addresses.values()), conf)
            self.assertGreaterEqual(len(servers), 2)
        self.assertIn(f"listen {addresses['internal']}:8118;", read("nginx/internal.conf"))
        for name, service in services.items():
            self.assertLessEqual(set(service.get("secrets", [])), set(compose["secrets"]), name)
            self.assertLessEqual(set(service.get("depends_on", [])), set(services), name)
            for volume in service.get("volumes", []):
                source = volume.split(":")[0]
                if source.startswith("./"):
                    self.assertTrue((DEPLOY / source).exists() or source.startswith("./secrets"), f"{name}: {source}")
                else:
                    self.assertIn(source, compose["volumes"], name)
            if service["image"] == "peel":
                self.assert_options(service["environment"], name)
                self.assertTrue(service["read_only"])
                for value in service["environment"].values():
                    if value.startswith("/run/secrets/"):
                        self.assertIn(value.removeprefix("/run/secrets/"), service["secrets"], name)

    @unittest.skipIf(yaml is None, "YAML files: python3-yaml is not installed")
    def test_kubernetes(self):
        found = kubernetes()
        settings = found["ConfigMap", "peel"]["data"]
        self.assert_options(settings, "settings.yaml")
        for (kind, name), one in found.items():
            if kind != "Namespace":
                self.assertEqual(one["metadata"]["namespace"], "peel", name)
            spec = one.get("spec", {})
            if kind in ("Deployment", "StatefulSet"):
                self.check_workload(name, spec, settings)
            elif kind == "HorizontalPodAutoscaler":
                target = spec["scaleTargetRef"]
                self.assertIn((target["kind"], target["name"]), found)
            elif kind == "PodDisruptionBudget":
                self.assertTrue(any(spec["selector"] == o["spec"].get("selector") for (k, _), o in found.items() if k in ("Deployment", "StatefulSet")))
            elif kind == "Service" and "selector" in spec:  # "closed" has none, so that nobody answers
                self.assertTrue(any(spec["selector"] == o["spec"]["selector"]["matchLabels"] for (k, _), o in found.items() if k in ("Deployment", "StatefulSet")))
            elif kind == "Ingress":
                for rule in spec["rules"]:
                    for path in rule["http"]["paths"]:
                        self.assertIn(("Service", path["backend"]["service"]["name"]), found)
        self.assertIn("PodDisruptionBudget", {kind for kind, _ in found})
        self.assertIn("HorizontalPodAutoscaler", {kind for kind, _ in found})
        service = found["Service", "search"]
        self.assertEqual(settings["PEEL_SEARCH_URL"], f"http://search:{service['spec']['ports'][0]['port']}")

    def check_workload(self, name, spec, settings):
        self.assertEqual(spec["selector"]["matchLabels"], spec["template"]["metadata"]["labels"])
        pod = spec["template"]["spec"]
        self.assertTrue(pod["securityContext"]["runAsNonRoot"])
        seconds = (int(settings["PEEL_DRAIN_MS"]) + int(settings["PEEL_SHUTDOWN_TIMEOUT_MS"])) / 1000
        self.assertGreater(pod["terminationGracePeriodSeconds"], seconds, name)
        (container,) = pod["containers"]
        ports = {port["name"] for port in container["ports"]}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            self.assertIn(container[probe]["httpGet"]["port"], ports)
        ready = container["readinessProbe"]
        # Found not ready, and that known everywhere, before the port closes.
        self.assertLess(ready["periodSeconds"] * ready["failureThreshold"], int(settings["PEEL_DRAIN_MS"]) / 1000)
        self.assertTrue(container["resources"]["requests"] and container["resources"]["limits"])
        self.assertTrue(container["securityContext"]["readOnlyRootFilesystem"])
        self.assertFalse(container["securityContext"]["allowPrivilegeEscalation"])
        self.assert_options([one["name"] for one in container["env"]], name)
        claims = [claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", [])]
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        self.assertEqual({mount["name"] for mount in container["volumeMounts"]}, set(volumes) | set(claims))
        given = {"/secrets/" + item["path"] for item in volumes["secrets"]["secret"]["items"]}
        self.assertEqual({one["value"] for one in container["env"] if one.get("value", "").startswith("/secrets/")}, given)


if __name__ == "__main__":
    main()
